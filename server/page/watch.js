// The audience's page: a stage's text in one language; `?lang=de&lines=2&transparent` is for streaming software.

import { Captions, make } from "./captions.js";
import { follow } from "./feed.js";
import { SOURCE, Transcript, direction } from "./state.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const lines = Number(query.get("lines"));
const names = new Intl.DisplayNames("en", { type: "language" });
const kept = JSON.parse(localStorage.getItem("simul.watch") ?? "{}");
const keep = (values) => localStorage.setItem("simul.watch", JSON.stringify(Object.assign(kept, values)));
const SAID = { connecting: ["busy", "Connecting…"], lost: ["warn", "The connection was lost. Trying again…"], over: ["", "The talk is over."] };
const THEMES = ["", "light", "dark", "contrast"];

let lang = query.get("lang") ?? kept.lang ?? "";
let text, captions, leave, live = true;

function say(tone, sentence) {
	document.body.dataset.tone = tone;
	if ($("status").lastElementChild.textContent !== sentence) $("status").lastElementChild.textContent = sentence;
}

/** What the stage is: {title, source, languages, lang, live}. */
function stage({ title, source, languages, lang: given, live: on }) {
	live = on;
	if (title) $("title").textContent = document.title = title;
	const options = [source, ...languages.filter((code) => code !== source)];
	$("lang").replaceChildren(...options.map((code) => new Option(names.of(code) + (code === source ? " (as spoken)" : ""), code)));
	lang = $("lang").value = given;
}

function told(message) {
	if (message.type === "stage") return stage(message);
	const rows = text.apply(message);
	captions.update(rows, text.rows);
	$("empty").hidden = text.rows.length > 0;
	if (message.type === "segment.end" && (message.stream !== SOURCE || lang === message.language)) {
		$("spoken").append(make("p", "", message.text, { lang: message.language }));
		while ($("spoken").childElementCount > 20) $("spoken").firstElementChild.remove();
	}
	if (lines) subtitles();
}

/** The last lines alone: what stands in several segments runs on. */
function subtitles() {
	const cells = text.rows.slice(-6).map((row) => Object.entries(row.cells ?? {}).sort(([a]) => (a === SOURCE ? 1 : -1))[0]?.[1]);
	const p = $("rows");
	const language = cells.findLast(Boolean)?.language ?? lang;
	Object.assign(p, { lang: language, dir: direction(language), textContent: cells.map((c) => (c ? c.text + c.tail : "")).join(" ") });
	$("scroll").scrollTop = $("scroll").scrollHeight;
}

function begin() {
	leave?.();
	text = new Transcript();
	captions?.redraw([]);
	captions = lines ? { update() {}, redraw() {} } : captions ?? new Captions($("rows"), $("scroll"), {
		unseen(n) {
			$("newer").hidden = !n;
			$("newer").textContent = `${n} new ↓`;
		},
	});
	const state = (name) => say(...(SAID[name] ?? (live ? ["live", "Live"] : SAID.over)));
	leave = follow({ base: document.baseURI, lang, told, state });
}

function look() {
	const root = document.documentElement;
	root.style.setProperty("--scale", (kept.size ?? 130) / 100);
	if (THEMES[kept.theme]) root.dataset.theme = THEMES[kept.theme];
	else delete root.dataset.theme;
}

function size(step) {
	keep({ size: Math.min(400, Math.max(70, (kept.size ?? 130) + step)) });
	look();
}

$("lang").onchange = () => {
	lang = $("lang").value;
	keep({ lang });
	begin();
};
$("larger").onclick = () => size(20);
$("smaller").onclick = () => size(-20);
$("theme").onclick = () => {
	keep({ theme: ((kept.theme ?? 0) + 1) % THEMES.length });
	look();
};
$("full").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
$("newer").onclick = () => captions.toEnd();
document.body.classList.toggle("lines", lines > 0);
document.body.classList.toggle("transparent", query.has("transparent"));
document.documentElement.style.setProperty("--lines", lines || 2);
look();
begin();
