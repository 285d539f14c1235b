package digest

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlainTeX(t *testing.T) {
	for in, want := range map[string]string{
		"A Note Without":                                "A Note Without",
		`$\mathcal{L}_1$ Adaptive Control`:              "ℒ₁ Adaptive Control",
		`Growth \textit{in situ} of \emph{E. coli}`:     "Growth in situ of E. coli",
		`$k$-means in $O(n^2)$ time`:                    "k-means in O(n²) time",
		`A 2$\times$ faster $\ell_2$ norm`:              "A 2× faster ℓ₂ norm",
		`$\pi_{0.5}$: $\alpha$-divergence to $10^{-3}$`: "π_0.5: α-divergence to 10⁻³",
		`Learning on $\mathbb{R}^d$ and $SE(3)$`:        "Learning on ℝᵈ and SE(3)",
		`$\texttt{LLaMA}$ \& \texttt{vLLM}: 100\% open`: "LLaMA & vLLM: 100% open",
		`From $5 to $10 a month`:                        "From $5 to $10 a month",
		`It costs $5, or US$10`:                         "It costs $5, or US$10",
		`Schr\"odinger, Erd\H{o}s, G\"{o}del, Fran\c{c}ois, \v{S}koda, na\"{\i}ve, \O rsted, \L{}ukasz`: "Schrödinger, Erdős, Gödel, François, Škoda, naïve, Ørsted, \\L{}ukasz",
		`{\bf Bold} claims`:                               "Bold claims",
		`C:\new\path and \unknown{thing}`:                 `C:\new\path and \unknown{thing}`,
		`$\unknown{x}$ in $\frac{1}{2}$ and $\sqrt{d_k}$`: `\unknown{x} in 1/2 and √dₖ`,
		`$L_\infty$, $x^{\prime}$, $A^\top$, $90^\circ$`:  "L_∞, x′, A^⊤, 90°",
		`$\log n$ and $p \leq 0.05$`:                      "log n and p ≤ 0.05",
		`\(x_i\) and $$y_{ij}$$`:                          "xᵢ and yᵢⱼ",
		`{GPT}-4 and {BERT}`:                              "{GPT}-4 and {BERT}",
		`An open $ alone`:                                 "An open $ alone",
		`ends with \`:                                     `ends with \`,
		`\href{https://x.example}{a link}`:                "a link",
		`$\mathrm{E}=mc^2$`:                               "E=mc²",
		`Pok\'emon`:                                       "Pokémon",
		`don\'t`:                                          "don't",
		`$\textbf{f}$-DP`:                                 "f-DP",
	} {
		if got := PlainTeX(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

// Whatever a stranger writes, text comes out; what has no TeX is left alone.
func FuzzPlainTeX(f *testing.F) {
	for _, s := range []string{`$\mathcal{L}_1$`, `\textit{`, `$$`, `\`, `\"`, `\"{}`, `$_$`, `$^{^{^{`, `$\frac$`, "$\xff$", `\c \`, `{\`, strings.Repeat(`{\it `, 50), strings.Repeat("$_", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := PlainTeX(s)
		if utf8.ValidString(s) && !utf8.ValidString(out) {
			t.Errorf("%q becomes %q", s, out)
		}
		if !strings.ContainsAny(s, `\$`) && out != s {
			t.Errorf("%q has no TeX and becomes %q", s, out)
		}
		if len(out) > 8*len(s)+8 {
			t.Errorf("%d bytes become %d", len(s), len(out))
		}
	})
}
