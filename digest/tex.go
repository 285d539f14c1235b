package digest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// PlainTeX is text with the TeX that titles and abstracts have in it as plain Unicode:
// "$\mathcal{L}_1$" becomes "ℒ₁", "\textit{in situ}" becomes "in situ". What is no TeX
// that it knows stays as it is: "from $5 to $10" is about money. It is for showing only;
// an [Entry] keeps what its source said.
func PlainTeX(s string) string {
	if !strings.ContainsAny(s, `\$`) {
		return s
	}
	t := tex{src: s}
	var b strings.Builder
	for t.at < len(t.src) {
		if body, n := formula(t.src[t.at:]); n > 0 {
			b.WriteString((&tex{src: body, math: true}).all())
			t.at += n
			continue
		}
		b.WriteString(t.next())
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// formula is what stands between the marks of a formula at the beginning of s, and how long
// it is with them; n is 0 if there is no formula. The rule for dollars is Pandoc's: no
// space inside beside them, and no digit after the second
// (https://pandoc.org/MANUAL.html#extension-tex_math_dollars).
func formula(s string) (body string, n int) {
	for _, m := range [][2]string{{"$$", "$$"}, {`\(`, `\)`}, {`\[`, `\]`}} {
		if rest, ok := strings.CutPrefix(s, m[0]); ok {
			if i := strings.Index(rest, m[1]); i > 0 {
				return rest[:i], len(m[0]) + i + len(m[1])
			}
		}
	}
	if len(s) < 3 || s[0] != '$' || s[1] == ' ' || s[1] == '$' {
		return "", 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++ // what follows is escaped
		case '$':
			if s[i-1] == ' ' || i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9' {
				return "", 0
			}
			return s[1:i], i + 1
		}
	}
	return "", 0
}

// maxTeXDepth is how deep groups are read: deeper ones are taken as they are.
const maxTeXDepth = 20

// tex is TeX that is being read.
type tex struct {
	src   string
	at    int
	math  bool
	depth int
}

// all is the rest in plain text.
func (t *tex) all() string {
	var b strings.Builder
	for t.at < len(t.src) {
		b.WriteString(t.next())
	}
	return b.String()
}

// inner is the text of a group in plain text.
func (t *tex) inner(s string) string {
	if t.depth >= maxTeXDepth {
		return s
	}
	return (&tex{src: s, math: t.math, depth: t.depth + 1}).all()
}

// next is the next thing in plain text: a character, a command with what it takes, or a
// group.
func (t *tex) next() string {
	r, n := utf8.DecodeRuneInString(t.src[t.at:])
	switch {
	case r == '\\':
		return t.command()
	case r == '{' && (t.math || strings.HasPrefix(t.src[t.at:], `{\`)):
		if g, ok := t.group(); ok {
			return t.inner(g)
		}
	case t.math && (r == '^' || r == '_'):
		t.at++
		return script(r, t.argument())
	case t.math && r == '~':
		t.at++
		return " "
	case t.math && r == '\'':
		t.at++
		return "′"
	}
	t.at += n
	return t.src[t.at-n : t.at]
}

// group takes a group in braces that begins here, and returns what is in it.
func (t *tex) group() (string, bool) {
	if t.at >= len(t.src) || t.src[t.at] != '{' {
		return "", false
	}
	depth := 0
	for i := t.at; i < len(t.src); i++ {
		switch t.src[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				g := t.src[t.at+1 : i]
				t.at = i + 1
				return g, true
			}
		}
	}
	return "", false
}

// argument is what a command is applied to, in plain text: a group or the next thing.
func (t *tex) argument() string {
	for t.at < len(t.src) && t.src[t.at] == ' ' {
		t.at++
	}
	if g, ok := t.group(); ok {
		return t.inner(g)
	}
	if t.at >= len(t.src) || t.depth >= maxTeXDepth {
		return ""
	}
	t.depth++
	defer func() { t.depth-- }()
	return t.next()
}

// command takes a command and what it is applied to.
func (t *tex) command() string {
	from := t.at
	t.at++
	if t.at == len(t.src) {
		return `\`
	}
	end := t.at
	for end < len(t.src) && (t.src[end] >= 'a' && t.src[end] <= 'z' || t.src[end] >= 'A' && t.src[end] <= 'Z') {
		end++
	}
	if end == t.at {
		return t.sign()
	}
	name := t.src[t.at:end]
	t.at = end
	applied := t.at < len(t.src) && t.src[t.at] == '{'
	word := func(s string) string { // a space ends a command's name, and is not of the text
		if !t.math && t.at < len(t.src) && t.src[t.at] == ' ' {
			t.at++
		}
		return s
	}
	switch {
	case accents[name] != 0 && (applied || t.at < len(t.src) && t.src[t.at] == ' '):
		return accented(accents[name], t.argument())
	case letters[name] != "" && !(applied && !t.math):
		return word(letters[name])
	case alphabets[name] != nil && (applied || t.math):
		return mapped(t.argument(), alphabets[name])
	case styles[name] && (applied || t.math):
		was := t.math
		t.math = was && !strings.HasPrefix(name, "text")
		defer func() { t.math = was }()
		return t.argument()
	case switches[name]:
		return word("")
	case name == "href" && applied:
		t.group()
		return t.argument()
	case name == "sqrt" && applied:
		return "√" + wrapped(t.argument())
	case (name == "frac" || name == "tfrac" || name == "dfrac") && applied:
		return wrapped(t.argument()) + "/" + wrapped(t.argument())
	case t.math && symbols[name] != "":
		return word(symbols[name])
	case t.math && names[name]:
		return name
	case symbols[name] != "" && !applied:
		return word(symbols[name])
	}
	if applied {
		t.group()
	}
	return t.src[from:t.at] // unknown: as it stands
}

// sign takes a command of one character that is no letter: an escape, an accent or a
// space.
func (t *tex) sign() string {
	r, n := utf8.DecodeRuneInString(t.src[t.at:])
	t.at += n
	switch {
	case strings.ContainsRune(`%&_#$\{}`, r):
		if r == '\\' {
			return " " // a new line
		}
		return string(r)
	case r == ' ' || r == ',' || r == ';' || r == ':' || r == '/':
		return " "
	case r == '!' || r == '-':
		return ""
	case r == '|' && t.math:
		return "‖"
	case !t.math && accents[string(r)] != 0:
		mark := t.at
		if rest := t.src[t.at:]; r == '\'' && rest != "" && strings.ContainsRune("dlmrstv", rune(rest[0])) {
			return "'" // "it\'s" was escaped for another language
		}
		if s := t.argument(); s != "" && unicode.IsLetter([]rune(s)[0]) {
			return accented(accents[string(r)], s)
		}
		t.at = mark
	}
	return `\` + t.src[t.at-n:t.at]
}

// accented puts a combining mark on the first letter.
func accented(mark rune, s string) string {
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case utf8.RuneError:
		return s
	case 'ı': // the i without a dot is there to be accented
		r = 'i'
	}
	return norm.NFC.String(string(r)+string(mark)) + s[n:]
}

// mapped is s in another alphabet, as far as that has its letters.
func mapped(s string, alphabet map[rune]rune) string {
	return strings.Map(func(r rune) rune {
		if to, ok := alphabet[r]; ok {
			return to
		}
		return r
	}, s)
}

// wrapped is an operand, in parentheses if it is more than one.
func wrapped(s string) string {
	if strings.ContainsAny(s, " +-/") {
		return "(" + s + ")"
	}
	return s
}

// script is what stands above or below the line, in letters that do if there are such.
func script(mark rune, s string) string {
	table := above
	if mark == '_' {
		table = below
	}
	out := make([]rune, 0, len(s))
	for _, r := range s {
		to, ok := table[r]
		if !ok {
			if utf8.RuneCountInString(s) > 1 && strings.ContainsAny(s, " +-,=") {
				s = "(" + s + ")"
			}
			return string(mark) + s
		}
		out = append(out, to)
	}
	return string(out)
}

func pairs(from, to string) map[rune]rune {
	out, t := map[rune]rune{}, []rune(to)
	for i, r := range []rune(from) {
		out[r] = t[i]
	}
	return out
}

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

func table(words string) map[string]string {
	out, f := map[string]string{}, strings.Fields(words)
	for i := 0; i+1 < len(f); i += 2 {
		out[f[i]] = f[i+1]
	}
	return out
}

// The TeX that is known. The names are those of LaTeX and amsmath
// (https://ctan.org/pkg/comprehensive).
var (
	above = pairs("0123456789+-=()abcdefghijklmnoprstuvwxyzT*′†°∘", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ*′†°°")
	below = pairs("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")

	alphabets = map[string]map[rune]rune{
		"mathbb": pairs("CHNPQRZ", "ℂℍℕℙℚℝℤ"), "mathcal": pairs("BEFHILMR", "ℬℰℱℋℐℒℳℛ"), "mathscr": pairs("BEFHILMR", "ℬℰℱℋℐℒℳℛ"),
	}
	// styles change how their argument looks and not what it says; switches do so to all
	// that follows.
	styles = set(`textit textbf texttt textsc textsf textrm textup textsl text textnormal emph underline mbox hbox uline mathrm mathbf mathit mathsf mathtt
		mathfrak mathnormal operatorname boldsymbol bm pmb url overline bar hat tilde vec widehat widetilde ensuremath`)
	switches = set("it bf em rm sf tt sc sl itshape bfseries scshape ttfamily rmfamily sffamily displaystyle left right big Big bigl bigr Bigl Bigr limits nolimits protect centering xspace")
	names    = set("log ln exp min max arg argmin argmax sin cos tan sup inf lim det dim ker Pr gcd mod softmax")

	symbols = table(`alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ
		sigma σ tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω
		times × cdot · div ÷ pm ± mp ∓ to → rightarrow → longrightarrow → Rightarrow ⇒ leftarrow ← gets ← Leftarrow ⇐ leftrightarrow ↔ Leftrightarrow ⇔ mapsto ↦
		uparrow ↑ downarrow ↓ leq ≤ le ≤ geq ≥ ge ≥ neq ≠ ne ≠ approx ≈ sim ∼ simeq ≃ equiv ≡ cong ≅ propto ∝ ll ≪ gg ≫ infty ∞ in ∈ notin ∉ ni ∋ subset ⊂
		subseteq ⊆ supset ⊃ cup ∪ cap ∩ setminus ∖ emptyset ∅ forall ∀ exists ∃ neg ¬ land ∧ wedge ∧ lor ∨ vee ∨ partial ∂ nabla ∇ sum ∑ prod ∏ int ∫ ell ℓ hbar ℏ
		Re ℜ Im ℑ aleph ℵ circ ∘ star ⋆ ast ∗ bullet • oplus ⊕ otimes ⊗ odot ⊙ dagger † ddagger ‡ perp ⊥ parallel ∥ mid | vert | Vert ‖ lVert ‖ rVert ‖ langle ⟨
		rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ ldots … dots … cdots ⋯ prime ′ degree ° angle ∠ triangle △ square □ checkmark ✓ top ⊤ bot ⊥ models ⊨ vdash ⊢ sharp ♯
		textregistered ® texttrademark ™ textcopyright © textdegree ° textendash – textemdash — textquotesingle ' textbackslash \ textasciitilde ~ textasciicircum ^ textunderscore _ lbrace { rbrace }`)
	letters = table("o ø O Ø l ł L Ł ss ß ae æ AE Æ oe œ OE Œ aa å AA Å i ı j ȷ dh ð th þ TeX TeX LaTeX LaTeX")

	accents = map[string]rune{
		"'": 0x301, "`": 0x300, "^": 0x302, `"`: 0x308, "~": 0x303, "=": 0x304, ".": 0x307,
		"c": 0x327, "v": 0x30c, "u": 0x306, "H": 0x30b, "k": 0x328, "r": 0x30a, "d": 0x323, "b": 0x331,
	}
)
