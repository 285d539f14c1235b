package fetch

import (
	"strings"
	"testing"
)

func TestClaims(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // keys, space separated
	}{
		{"abstract", "We beat everyone. Code is available at https://github.com/Org/Repo.", "github:org/repo"},
		{"abstract, several things", "Our code, models and data are publicly available at https://github.com/Org/Repo", "github:org/repo"},
		{"released", "We release the code for reproducibility, at https://github.com/org/repo.", "github:org/repo"},
		{"label", "Text. Code: https://github.com/org/repo", "github:org/repo"},
		{"label in bold", `<p><b>Paper:</b> <a href="https://arxiv.org/abs/2501.12948v2">DeepThing</a></p>`, "arxiv:2501.12948"},
		{"weights here", `The weights can be found <a href="https://huggingface.co/Org/Model-7B">here</a>.`, "hf:org/model-7b"},
		{"weights on hugging face", `<p>The model weights are available on <a href="https://huggingface.co/Org/Model-7B">Hugging Face</a>.</p>`, "hf:org/model-7b"},
		{"our model on", `<p>Try our model on Hugging Face: <a href="https://huggingface.co/Org/Model">Org/Model</a>`, "hf:org/model"},
		{"technical report", `<a href="https://arxiv.org/abs/2505.09388">Read our technical report</a>`, "arxiv:2505.09388"},
		{"dataset", `We are releasing the dataset <a href="https://huggingface.co/datasets/org/set">here</a>.`, "hf:datasets/org/set"},
		{"family of models", `<p>Weights: <a href="https://huggingface.co/org/a-1b">1B</a></p><p>Weights: <a href="https://huggingface.co/org/a-7b">7B</a></p>`, "hf:org/a-1b hf:org/a-7b"},

		{"mention", `It beats <a href="https://huggingface.co/other/model">Other</a>.`, ""},
		{"bare link", "See https://github.com/org/repo", ""},
		{"base model", `Our model is based on weights available at https://huggingface.co/other/base.`, ""},
		{"their code", `Their code is available at https://github.com/other/repo.`, ""},
		{"earlier sentence does not count", `Code is available. We used <a href="https://github.com/other/tool">a tool</a>.`, ""},
		{"earlier paragraph does not count", `<p>Our code:</p><p>Something else entirely, by way of <a href="https://github.com/other/tool">x</a></p>`, ""},
		{"citation", `and our paper <a href="https://arxiv.org/abs/2102.07227">Liu et al, 2021</a>`, ""},
		{"our paper on another thing", `as in our paper <a href="https://arxiv.org/abs/2102.07227">Weighing Whales</a>`, ""},
		{"round-up of papers", "Paper: https://arxiv.org/abs/2501.00001\nnext. Paper: https://arxiv.org/abs/2501.00002", ""},
		{"models of two organizations", "Weights: https://huggingface.co/a/x. Weights: https://huggingface.co/b/y", ""},
		{"not a repository", "Code is available at https://github.com/org", ""},
		{"other host", "Code is available at https://example.com/github.com/x", ""},
		{"script", `<script>Code: https://github.com/org/repo</script>`, ""},
		{"not http", `Code: <a href="javascript:github.com/org/repo">x</a>`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range claims(test.text) {
				if !c.key.Claim {
					t.Errorf("%v is not marked as a claim", c.key)
				}
				got = append(got, string(c.key.Scheme)+":"+c.key.Value)
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("claims %q, want %q", s, test.want)
			}
		})
	}
}
