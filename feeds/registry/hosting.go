package registry

import "seedcorn/feeds"

// Hosting reports whether host is one where strangers publish under a name or
// path of their own, so that the host says nothing about who wrote a page.
func Hosting(host string) bool { return hosting[host] }

// The hosts whose owner is a lab that also has its mail there. Only the owner may
// list such a domain: [Registry.ByEmail] finds it, [Registry.ByDomain] does not.
var operators = map[string]feeds.LabID{
	"huggingface.co": "hugging-face",
	"github.com":     "github",
	"facebook.com":   "meta-ai",
	"linkedin.com":   "linkedin",
	"bilibili.com":   "bilibili",
	"tiktok.com":     "tiktok",
	"replicate.com":  "replicate",
	"kaggle.com":     "google",
	"modelscope.cn":  "modelscope",
	"ollama.com":     "ollama",
}

// The hosts that are no lab's own: code and model hubs, blogs, page builders,
// archives, video, social and short links, document stores.
var hosting = set(
	// hubs and page hosts, https://docs.github.com/pages
	"github.com", "github.io", "gist.github.com", "githubusercontent.com", "gitlab.com", "gitlab.io", "gitee.com", "gitee.io",
	"bitbucket.org", "bitbucket.io", "codeberg.org", "codeberg.page", "sourceforge.net", "huggingface.co", "hf.co", "hf.space",
	"modelscope.cn", "modelscope.ai", "kaggle.com", "colab.research.google.com", "replicate.com", "civitai.com", "ollama.com",
	"wisemodel.cn", "openi.org.cn", "docker.com", "zenodo.org", "figshare.com", "osf.io",
	"readthedocs.io", "vercel.app", "netlify.app", "pages.dev", "workers.dev", "web.app", "firebaseapp.com", "herokuapp.com",
	"streamlit.app", "gradio.live", "gradio.app", "replit.app", "onrender.com", "surge.sh", "glitch.me", "notion.site", "notion.so",
	// blogs
	"medium.com", "substack.com", "wordpress.com", "blogspot.com", "ghost.io", "tumblr.com", "hatenablog.com", "hateblo.jp",
	"note.com", "qiita.com", "zenn.dev", "hashnode.dev", "dev.to", "bearblog.dev", "typepad.com", "livejournal.com", "beehiiv.com",
	"buttondown.com", "mirror.xyz", "csdn.net", "zhihu.com", "zhuanlan.zhihu.com", "juejin.cn", "cnblogs.com", "jianshu.com",
	"velog.io", "tistory.com", "brunch.co.kr", "blog.naver.com", "mp.weixin.qq.com", "habr.com", "feishu.cn", "larksuite.com", "yuque.com",
	// page builders, documents, storage
	"sites.google.com", "docs.google.com", "drive.google.com", "forms.gle", "goo.gl", "storage.googleapis.com", "googleusercontent.com",
	"appspot.com", "wixsite.com", "weebly.com", "squarespace.com", "webflow.io", "framer.website", "framer.app", "carrd.co",
	"amazonaws.com", "cloudfront.net", "azurewebsites.net", "blob.core.windows.net", "windows.net", "dropbox.com", "onedrive.live.com",
	"pan.baidu.com", "1drv.ms", "mega.nz", "archive.org", "web.archive.org",
	// papers and reviews
	"arxiv.org", "openreview.net", "biorxiv.org", "medrxiv.org", "ssrn.com", "hal.science", "aclanthology.org", "doi.org",
	"semanticscholar.org", "paperswithcode.com", "alphaxiv.org", "researchgate.net", "academia.edu", "dblp.org",
	// video, social, links
	"youtube.com", "youtu.be", "vimeo.com", "bilibili.com", "x.com", "twitter.com", "t.co", "linkedin.com", "facebook.com",
	"instagram.com", "threads.net", "reddit.com", "news.ycombinator.com", "discord.com", "discord.gg", "bsky.app", "bsky.social",
	"mastodon.social", "t.me", "weibo.com", "tiktok.com", "bit.ly", "lnkd.in", "tinyurl.com", "feedburner.com",
	"feeds.feedburner.com", "wikipedia.org", "wikimedia.org",
)

// Mail services open to everybody, and addresses that societies lend to members
// for life: neither says where the writer works.
var freeMail = set(
	"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "yahoo.co.jp", "yahoo.co.uk",
	"yahoo.co.in", "yahoo.fr", "yahoo.de", "ymail.com", "icloud.com", "me.com", "mac.com", "aol.com", "proton.me", "protonmail.com", "pm.me",
	"qq.com", "foxmail.com", "163.com", "126.com", "yeah.net", "sina.com", "sina.cn", "sohu.com", "139.com", "189.cn", "aliyun.com",
	"naver.com", "hanmail.net", "daum.net", "kakao.com", "nate.com", "mail.ru", "yandex.ru", "yandex.com", "ya.ru", "rambler.ru", "bk.ru",
	"gmx.de", "gmx.net", "gmx.com", "web.de", "t-online.de", "freenet.de", "mail.de", "posteo.de", "mailbox.org", "orange.fr", "free.fr",
	"laposte.net", "wanadoo.fr", "sfr.fr", "libero.it", "rediffmail.com", "uol.com.br", "bol.com.br", "terra.com.br", "hey.com",
	"fastmail.com", "zoho.com", "tutanota.com", "seznam.cz", "wp.pl", "o2.pl", "interia.pl", "abv.bg", "ukr.net", "docomo.ne.jp",
	"ieee.org", "acm.org", "computer.org", "alumni.stanford.edu", "users.noreply.github.com", "example.com", "example.org",
)

func set(keys ...string) map[string]bool {
	m := make(map[string]bool, len(keys))
	for _, k := range keys {
		m[k] = true
	}
	return m
}
