"""The style sheet. Hidden radio buttons and sibling selectors switch language and theme: no script is needed."""

from __future__ import annotations

# Varnish for the tuned model, blue for the baseline, grey for the untuned one: told apart by every kind of sight.
_LIGHT = {
    "paper": "#fbf8f3",
    "card": "#ffffff",
    "ink": "#241c15",
    "soft": "#6d6257",
    "rule": "#e6ddd0",
    "faint": "#f3ede3",
    "tuned": "#b3471b",
    "baseline": "#2f6b94",
    "untuned": "#9b9184",
    "hit": "#3d7d5a",
    "miss": "#b93a2b",
    "on": "#ffffff",
    "good": "#2f6f4d",
    "good-bg": "#e4f0e8",
    "bad": "#a32f22",
    "bad-bg": "#f8e6e2",
    "even": "#7a5c12",
    "even-bg": "#f6edd4",
}
_DARK = {
    "paper": "#16120e",
    "card": "#1f1a15",
    "ink": "#f0e8dc",
    "soft": "#a89c8d",
    "rule": "#382f27",
    "faint": "#29221b",
    "tuned": "#ee8a52",
    "baseline": "#74b0d9",
    "untuned": "#8d8478",
    "hit": "#5fb287",
    "miss": "#e8705f",
    "on": "#16120e",
    "good": "#86cfa6",
    "good-bg": "#1d3427",
    "bad": "#f29a8c",
    "bad-bg": "#42211c",
    "even": "#e3c36c",
    "even-bg": "#3a3016",
}

_SHEET = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0}
.switch{position:absolute;opacity:0;pointer-events:none}
#lang-en:checked~.page .zh,#lang-zh:checked~.page .en{display:none}
.page{min-height:100vh;background:var(--paper);color:var(--ink);font:16px/1.6 -apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
font-variant-numeric:tabular-nums}
.sheet{max-width:1040px;margin:0 auto;padding:0 28px 64px}
h1,h2,.hero-text,.brand{font-family:"Iowan Old Style","Palatino Linotype",Palatino,"Noto Serif",Georgia,"Songti SC",
"Noto Serif CJK SC",serif;font-weight:600;letter-spacing:-.01em}
a{color:inherit}
.bar-top{display:flex;align-items:center;gap:14px;padding:18px 0;border-bottom:1px solid var(--rule)}
.brand{display:flex;align-items:center;gap:10px;font-size:18px;flex:1}
.brand svg{width:26px;height:26px;stroke:var(--tuned)}
.group{display:flex;border:1px solid var(--rule);border-radius:999px;overflow:hidden;background:var(--card)}
.group label{padding:4px 12px;font-size:13px;color:var(--soft);cursor:pointer;user-select:none}
.group label:hover{color:var(--ink)}
#lang-en:checked~.page [for=lang-en],#lang-zh:checked~.page [for=lang-zh],#theme-auto:checked~.page [for=theme-auto],
#theme-light:checked~.page [for=theme-light],#theme-dark:checked~.page [for=theme-dark]{background:var(--ink);
color:var(--paper)}
.switch:focus-visible~.page .group{outline:2px solid var(--tuned);outline-offset:2px}
header.title{padding:40px 0 8px}
header.title .kind{color:var(--tuned);font-size:13px;font-weight:600;letter-spacing:.08em;text-transform:uppercase;
margin:0}
h1{font-size:38px;line-height:1.15;margin:6px 0 6px;overflow-wrap:anywhere}
.meta{color:var(--soft);font-size:14px;margin:0}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px;padding:16px 0 0}
nav a{color:var(--soft);text-decoration:none;border-bottom:1px solid var(--rule)}
nav a:hover{color:var(--ink);border-color:var(--tuned)}
.hero{margin:30px 0 0;background:var(--card);border:1px solid var(--rule);border-radius:16px;padding:34px 36px 28px;
border-top:5px solid var(--tuned)}
.hero-text{font-size:34px;line-height:1.25;margin:0 0 8px}
.hero-text b{color:var(--tuned);font-weight:600}
.hero .sure{color:var(--soft);margin:0 0 22px}
.verdicts{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:14px}
.verdict{border-radius:12px;padding:14px 18px;font-size:15px}
.verdict.better{background:var(--good-bg)}.verdict.worse{background:var(--bad-bg)}
.verdict.even{background:var(--even-bg)}
.verdict.better b{color:var(--good)}.verdict.worse b{color:var(--bad)}.verdict.even b{color:var(--even)}
.verdict b{font-size:22px;display:block;line-height:1.3}
.verdict .also{color:var(--soft);font-size:13px}
.verdict p{margin:4px 0 0;color:var(--ink);font-size:14px;line-height:1.5}
.facts{display:flex;flex-wrap:wrap;gap:1px;background:var(--rule);border:1px solid var(--rule);border-radius:12px;
overflow:hidden;margin:24px 0 0}
.facts div{flex:1 1 150px;background:var(--card);padding:12px 16px}
.facts b{display:block;font-size:21px;line-height:1.3;font-weight:600}
.facts span{color:var(--soft);font-size:13px}
section{margin:60px 0 0}
h2{font-size:26px;line-height:1.25;margin:0 0 4px}
h3{font-size:15px;margin:28px 0 8px}
.lead{color:var(--soft);margin:0 0 18px;max-width:880px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:14px;padding:20px 22px}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:18px}
.pair h3{margin-top:0}
.notice{list-style:none;margin:0;padding:0;display:grid;gap:8px}
.notice li{padding:10px 16px;border-left:4px solid var(--rule);background:var(--card);border-radius:0 10px 10px 0;
font-size:15px;overflow-wrap:anywhere}
.notice .warn{border-color:var(--even)}.notice .bad{border-color:var(--bad)}.notice .good{border-color:var(--good)}
.command{display:flex;gap:10px;align-items:baseline;font-size:13px;color:var(--soft);margin:14px 0 0}
.command span{white-space:nowrap}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace;
background:var(--faint);padding:2px 8px;
border-radius:6px;color:var(--ink);user-select:all;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14.5px}
.after{color:var(--soft);font-size:14px;margin:10px 0 0}
th{font-weight:600;color:var(--soft);font-size:13px;text-align:left;vertical-align:bottom}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--rule)}
tbody tr:last-child td{border-bottom:0}
.num{text-align:right;padding:6px 0 6px 12px;white-space:nowrap}
td small{color:var(--soft);font-size:12px;display:block;line-height:1.3}
.classes td:nth-child(2){width:38%;padding-right:0}
.classes td:first-child,.name{overflow-wrap:anywhere;max-width:260px}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13.5px;color:var(--soft);margin:0 0 10px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:50%;margin-right:7px;vertical-align:-1px;
background:currentColor}
.legend .key{color:var(--soft)}
.c-tuned{color:var(--tuned)}.c-baseline{color:var(--baseline)}.c-untuned{color:var(--untuned)}
.c-hit{color:var(--hit)}.c-miss{color:var(--miss)}.c-even{color:var(--even)}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--ink);font-size:12px}
svg .tick{fill:var(--soft);font-size:11px}
svg .axis{fill:var(--soft);font-size:12px}
svg .strong{font-weight:600;font-size:13px}
.mid{text-anchor:middle}.end{text-anchor:end}
.grid{stroke:var(--rule);stroke-width:1}
.line{fill:none;stroke:currentColor;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.line.thin{stroke:var(--untuned);stroke-width:1;opacity:.35}
.line.raw{stroke-width:1;opacity:.28}
.line.guide{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;opacity:.6}
.value-at{font-size:12.5px;font-weight:600}
.whisker{stroke:currentColor;stroke-width:2.6;stroke-linecap:round}
.fill{fill:currentColor}
.ring{fill:none;stroke:currentColor;stroke-width:2}
.track{fill:var(--faint)}
.bar{height:16px}
.bar .span{stroke:var(--ink);stroke-width:1.6;opacity:.75}
.bar .mark{stroke:var(--baseline);stroke-width:3}
.hit{fill:var(--hit)}.miss{fill:var(--miss)}.even{fill:var(--even)}
.cell text,.cell{pointer-events:all}
svg .on{fill:var(--on)}
svg .value{font-size:13px;text-anchor:middle}
.error{padding:14px 0;border-bottom:1px solid var(--rule);break-inside:avoid}
.error:last-child{border-bottom:0}
.error .what{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center;font-size:13.5px;color:var(--soft)}
.chip{display:inline-block;border-radius:7px;padding:1px 9px;font-weight:600;overflow-wrap:anywhere}
.chip.miss-chip{background:var(--bad-bg);color:var(--bad)}.chip.hit-chip{background:var(--good-bg);color:var(--good)}
.chip.flag{background:var(--even-bg);color:var(--even)}
.meter{display:inline-block;width:90px;height:6px;border-radius:3px;background:var(--faint);overflow:hidden;
vertical-align:2px;margin-right:8px}
.meter i{display:block;height:100%;background:var(--miss)}
.error blockquote{margin:7px 0 0;font-size:16px;white-space:pre-wrap;overflow-wrap:anywhere}
.error .id{margin-left:auto;font:12px ui-monospace,Menlo,Consolas,monospace}
.error blockquote+blockquote{border-top:1px dashed var(--rule);padding-top:6px}
.chip.tag{font-size:12px;font-style:normal;padding:0 6px;margin:0 3px;line-height:1.5;vertical-align:1px;
white-space:nowrap}
mark{background:var(--faint);color:inherit;border-radius:3px;padding:1px 0;box-decoration-break:clone;
-webkit-box-decoration-break:clone}
mark.right{background:var(--good-bg)}mark.missed{background:var(--even-bg);box-shadow:inset 0 -2px var(--even)}
mark.extra{background:var(--bad-bg)}mark.missed.extra{box-shadow:inset 0 -2px var(--even)}
.marked{line-height:1.9}
.split{margin:0 0 18px;display:flex;border-radius:8px;overflow:hidden;height:34px;font-size:13px;gap:2px}
.split span{display:flex;align-items:center;justify-content:center;white-space:nowrap;overflow:hidden;min-width:0}
.split span span{background:none}
.split span{color:var(--paper)}.s-train{background:var(--soft)}.s-valid{background:var(--untuned)}
.s-test{background:var(--ink)}
details{margin:12px 0 0}
summary{cursor:pointer;color:var(--tuned);font-size:14.5px;padding:4px 0}
pre{background:var(--faint);border-radius:10px;padding:14px 16px;font:12.5px/1.55 ui-monospace,Menlo,Consolas,
"Noto Sans Mono CJK SC",monospace;
overflow-x:auto;margin:8px 0 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0;font-size:14.5px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{margin:64px 0 0;padding:18px 0 0;border-top:1px solid var(--rule);color:var(--soft);font-size:13.5px}
@media(max-width:760px){.pair{grid-template-columns:1fr}.hero{padding:24px 20px}.hero-text{font-size:26px}
h1{font-size:29px}
.sheet{padding:0 16px 48px}.bar-top{flex-wrap:wrap}.error .id{margin-left:0}.dots{min-width:640px}}
@media print{.group,nav{display:none}.page{font-size:12px}section{margin:32px 0 0;break-inside:avoid-page}
.hero{break-inside:avoid}}
"""


def style_sheet() -> str:
    """Return the whole style sheet, with both palettes."""
    light, dark = (";".join(f"--{name}:{value}" for name, value in palette.items()) for palette in (_LIGHT, _DARK))
    return (
        f".page{{color-scheme:light;{light}}}"
        f"#theme-dark:checked~.page{{color-scheme:dark;{dark}}}"
        f"@media screen and (prefers-color-scheme:dark){{#theme-auto:checked~.page{{color-scheme:dark;{dark}}}}}"
        f"{_SHEET.strip()}"
    )
