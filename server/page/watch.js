// The audience's page: a stage's captions in one language; `?lang=de&lines=2&transparent` is for streaming software.

import { Captions, make } from "./captions.js";
import { follow } from "./feed.js";
import { SOURCE, direction } from "./state.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const lines = Number(query.get("lines"));
const kept = JSON.parse(localStorage.getItem("simul.watch") ?? "{}");
const keep = (values) => localStorage.setItem("simul.watch", JSON.stringify(Object.assign(kept, values)));
const SAID = {
	connecting: ["busy", "Connecting…"],
	lost: ["warn", "The connection was lost. Trying again…"],
	none: ["warn", "No talk is shown here at present. Trying again…"],
};
const THEMES = ["", "light", "dark", "contrast"];
const READ = "read"; // the stream of what is read; what stands in for it is in SOURCE

let lang = query.get("lang") ?? kept.lang ?? "";
let rows = [], live = false, captions, leave;

function say(name) {
	const [tone, sentence] = SAID[name] ?? (live ? ["live", "Live"] : ["", "Nobody speaks at the moment."]);
	document.body.dataset.tone = tone;
	if ($("status").lastElementChild.textContent !== sentence) $("status").lastElementChild.textContent = sentence;
}

/** The row of a line; what is being said has the last. */
function rowOf(line) {
	let at = rows.length;
	while (at && rows[at - 1].segment > line) at--;
	if (rows[at - 1]?.segment !== line) rows.splice(at++, 0, { key: String(line), segment: line, cells: {} });
	return rows[at - 1];
}

function fill(line, stream, { language, text, t0 = 0, t1 = 0 }, tail = "") {
	const row = rowOf(line);
	row.cells[stream] = { language, text, tail, pieces: [[text.length, t0, t1]] };
	captions.update([row], rows);
	$("empty").hidden = true;
	if (lines) subtitles();
}

const MESSAGES = {
	"watch.ready"({ languages, source, language, live: on, heard }) {
		live = on;
		$("listen").hidden = !heard.includes(language);
		if ($("listen").hidden || (hearing && hearing.lang !== language)) listen(false);
		const named = ({ code, name }) => new Option(code === source ? `${name} (as spoken)` : name, code);
		$("lang").replaceChildren(...languages.map(named));
		$("lang").value = lang = language;
		say("live");
	},
	"watch.state"(message) {
		live = message.live;
		say("live");
	},
	caption(message) {
		fill(message.line, message.stand_in ? SOURCE : READ, message);
		if (message.stand_in) return;
		$("spoken").append(make("p", "", message.text, { lang: message.language }));
		while ($("spoken").childElementCount > 20) $("spoken").firstElementChild.remove();
	},
	"caption.tail": ({ language, text }) => fill(Infinity, READ, { language, text: "" }, text),
	error({ fatal }) {
		if (!fatal || !lang) return;
		keep({ lang: (lang = "") }); // the language is not offered here: show what is spoken
		begin();
	},
};

let hearing; // ends listening

/** Hear the talk in the language that is read; where the stream breaks, from where it is then. */
async function listen(on) {
	hearing?.abort();
	hearing = null;
	$("listen").ariaPressed = String(on);
	$("listen").textContent = on ? "Stop listening" : "Listen";
	if (!on) return;
	const { signal } = (hearing = Object.assign(new AbortController(), { lang }));
	const context = new AudioContext({ sampleRate: 24000 });
	signal.onabort = () => context.close();
	await context.audioWorklet.addModule("player.js");
	const player = new AudioWorkletNode(context, "player", { numberOfInputs: 0 });
	player.connect(context.destination);
	// An <audio> would keep seconds in store before it plays.
	while (!signal.aborted) {
		await stream(`v1/watch/audio?lang=${encodeURIComponent(lang)}&format=wav`, signal, player.port).catch(() => {});
		await new Promise((done) => setTimeout(done, 2000));
	}
}

/** Hand a WAV that has no end to a player as it comes. */
async function stream(path, signal, port) {
	const reader = (await fetch(new URL(path, document.baseURI), { signal })).body.getReader();
	let held = [], head = 44;
	for (let part; !(part = await reader.read()).done; ) {
		held = [...held, ...part.value];
		const end = held.length - (held.length % 2);
		if (end <= head) continue;
		port.postMessage(Float32Array.from(new Int16Array(Uint8Array.from(held.slice(head, end)).buffer), (v) => v / 32768));
		held = held.slice(end);
		head = 0;
	}
}

/** The last lines alone, running on. */
function subtitles() {
	const cells = rows.slice(-8).map((row) => row.cells[READ]?.text || row.cells[READ]?.tail ? row.cells[READ] : row.cells[SOURCE]).filter(Boolean);
	const language = cells.at(-1)?.language ?? lang;
	Object.assign($("rows"), { lang: language, dir: direction(language), textContent: cells.map((c) => c.text + c.tail).join(" ") });
	$("scroll").scrollTop = $("scroll").scrollHeight;
}

function begin() {
	leave?.();
	rows = [];
	captions.redraw(rows);
	leave = follow({ base: document.baseURI, lang, told: (message) => MESSAGES[message.type]?.(message), state: say });
}

function look() {
	const root = document.documentElement;
	root.style.setProperty("--scale", (kept.size ?? 130) / 100);
	root.style.setProperty("--lines", lines || 2);
	root.dataset.theme = THEMES[kept.theme ?? 0];
}

function size(step) {
	keep({ size: Math.min(400, Math.max(70, (kept.size ?? 130) + step)) });
	look();
}

$("lang").onchange = () => {
	keep({ lang: (lang = $("lang").value) });
	begin();
};
$("listen").onclick = () => listen(!hearing);
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
captions = lines
	? { update() {}, redraw() {} }
	: new Captions($("rows"), $("scroll"), {
			unseen(n) {
				$("newer").hidden = !n;
				$("newer").textContent = `${n} new ↓`;
			},
		});
look();
begin();
