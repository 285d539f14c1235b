package digest

// StarterTopics are named queries to begin with, offered together with the starter
// list of sources. Whoever runs the program changes, adds and removes them.
var StarterTopics = []Topic{
	{"agents", `agent OR agents OR agentic OR "tool use" OR "computer use"`, "models that act and use tools"},
	{"asia", `country:CN,JP,KR,SG,TW,HK,IN`, "labs in Asia"},
	{"coding", `coding OR "code generation" OR "software engineering" OR SWE-bench`, "models that write programs"},
	{"data", `has:data OR dataset OR datasets OR corpus`, "data to train and to measure with"},
	{"efficiency", `quantization OR quantized OR distillation OR pruning OR "mixture of experts" OR "sparse attention"`, "the same for less"},
	{"europe", `country:EU,GB,CH,NO`, "labs in Europe"},
	{"multimodal", `multimodal OR "vision-language" OR "text-to-image" OR "text-to-video" OR "world model"`, "pictures, video and worlds"},
	{"open-weights", `openness>=open-weights has:weights`, "weights that one may build on"},
	{"reasoning", `reasoning OR "chain of thought" OR "test-time compute" OR "reinforcement learning"`, "thinking longer, and learning to"},
	{"robotics", `robot OR robots OR robotics OR "embodied" OR "vision-language-action"`, "models with a body"},
	{"safety", `safety OR alignment OR interpretability OR "red teaming" OR jailbreak`, "what models should not do, and why they do it"},
	{"science", `protein OR chemistry OR materials OR mathematics OR "theorem proving" OR weather`, "models for science"},
	{"speech", `speech OR audio OR voice OR "text-to-speech" OR music`, "models that hear and speak"},
}
