// The page: what is chosen, what is heard, what is shown. Sockets and samples are the worker's (link.js).

import { Captions, make } from "./captions.js";
import { FORMATS, write } from "./export.js";
import { SOURCE, Transcript, clock, targetOf } from "./state.js";

const $ = (id) => document.getElementById(id);
const body = document.body;
const secs = (ms) => (ms / 1000).toFixed(1);

/** What is said of a state: its tone, and a sentence. */
const STATES = {
	idle: () => ["", "Ready"],
	asking: () => ["busy", "Please allow the microphone: your browser is asking."],
	refused: () => ["bad", "The microphone is not allowed. Allow it for this page beside the address, then press Start."],
	nodevice: () => ["bad", "No microphone was found. Connect one, or open a recording."],
	insecure: () => ["bad", `Browsers give the microphone only over https or on this machine. Start the server with --certfile, or open a recording.`],
	unreadable: (name) => ["bad", `${name} cannot be read as a recording by this browser. Try WAV, MP3, M4A, Ogg or WebM.`],
	connecting: () => ["busy", "Connecting…"],
	waiting: (message) => ["busy", message],
	full: (left, message) => ["warn", `${message} Trying again in ${Math.ceil(left / 1000)} s; what you say is kept.`],
	live: () => ["live", "Live"],
	behind: (ms, why) => ["warn", `Live, ${secs(ms)} s behind: ${why}. Nothing is left out.`],
	reconnecting: (left) => ["warn", `The connection was lost. ${left > 0 ? `Trying again in ${Math.ceil(left / 1000)} s` : "Trying again"}; what you say is kept.`],
	resumed: () => ["live", "Connected again. Nothing was lost."],
	gap: (ms) => ["warn", `Connected again. ${secs(ms)} s could not be recovered.`],
	lost: () => ["warn", "The microphone is gone. Looking for another; the time goes on."],
	notice: (message) => ["warn", message],
	draining: () => ["busy", "Finishing the last words…"],
	ended: (t) => ["", t ? `Finished: ${clock(t.audio_ms)} of audio, ${t.words} words, ${t.lost ? `${secs(t.lost / 16)} s lost` : "nothing lost"}.` : "Finished."],
	error: (message) => ["bad", message],
};
const PASSING = ["resumed", "gap", "notice"];
const LAGS = { queue: "Waiting for the processor", compute: "Computing", policy: "Waiting for context", network: "Network" };
const POLICIES = {
	"local-agreement": "Steady: two hearings agree",
	"align-bridge": "Sooner: up to what was just said",
};
const LANGUAGES = "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv sw ta th tr uk ur vi zh";

// -- choices, which are kept

const kept = JSON.parse(localStorage.getItem("simul") ?? "{}");
const keep = (name, value) => localStorage.setItem("simul", JSON.stringify(Object.assign(kept, { [name]: value })));
const names = new Intl.DisplayNames("en", { type: "language" });
let info = {};

function fill(select, options, value) {
	select.replaceChildren(...options.map(([code, name]) => new Option(name, code)));
	if (value != null && !options.some(([code]) => code === value)) select.add(new Option(value, value));
	select.value = value ?? options[0]?.[0] ?? "";
}

function languages(codes, also) {
	const all = [...new Set([...codes, ...also])].filter((code) => code && code !== "auto");
	return all.map((code) => [code, names.of(code) ?? code]).sort((a, b) => a[1].localeCompare(b[1]));
}

async function choices() {
	try {
		info = await (await fetch("v1/info")).json();
	} catch {
		info = {};
	}
	const of = info.languages ?? {};
	const { source = "en", targets = [] } = info;
	const sources = languages(of.source ?? LANGUAGES.split(" "), [source]);
	if (source === "auto" || of.source?.includes("auto")) sources.unshift(["auto", "Detect"]);
	fill($("source"), sources, kept.source ?? source);
	const listed = languages(of.target ?? LANGUAGES.split(" "), targets);
	fill($("target"), [["", "Captions only"], ...listed], kept.target ?? targets[0] ?? "");
	const own = info.policy ?? "local-agreement";
	const others = (info.policies ?? Object.keys(POLICIES)).filter((name) => name !== own);
	fill($("policy"), [["", `The server's choice (${own})`], ...others.map((name) => [name, POLICIES[name] ?? name])], kept.policy ?? "");
	const two = info.two_way ?? [];
	if (two.length && kept.both == null) [$("source").value, $("target").value] = two;
	$("both").checked = kept.both ?? two.length > 0;
	$("detects").hidden = !two.length && !of.source?.includes("auto");
	$("terms-label").hidden = !info.terms;
	$("speaks").hidden = !info.speech?.length;
	$("about").textContent = info.model ? `${info.model}, server ${info.server}` : "";
	if (info.stage) {
		const code = make("img", "", "", { src: info.stage.qr, alt: "Its address as a QR code", width: 160 });
		$("about").append(make("br"), make("a", "", "Page for the audience", { href: info.stage.watch }), make("br"), code);
	}
	voices();
	arrange();
}

/** The voices of the language that is read, or of both. */
function voices() {
	for (const [id, code] of [["voice", target()], ["other", both() && $("source").value]]) {
		const box = $(id), offered = info.voices?.[code] ?? [];
		fill(box, [["", "The usual one"], ...offered], kept.voice?.[code] ?? "");
		box.name = code;
		box.previousSibling.textContent = code ? `Voice (${names.of(code)})` : "";
		box.parentNode.hidden = offered.length < 2;
	}
}

const target = () => ($("target").value === $("source").value ? "" : $("target").value);
const both = () => $("both").checked && target() && $("source").value !== "auto";
let served; // languages that the session translates into
const reading = () => both() ? SOURCE : (served ? served[0] : target()) || SOURCE;
const terms = () => (info.terms ? { glossary: $("terms").value.split("\n").map((t) => t.trim()).filter(Boolean) } : {});

function wanted(type) {
	const policy = $("policy").value;
	const voice = Object.fromEntries(["voice", "other"].map((id) => [$(id).name, $(id).value]).filter((pair) => pair[1]));
	const want = { tail: true, words: false, source_text: true, progress: true, speech: $("speech").checked, voice };
	const now = { type, source: $("source").value, targets: target() ? [target()] : [], want, ...terms() };
	now.two_way = both() ? [now.source, ...now.targets] : [];
	return policy ? { ...now, policy: { name: policy, params: {} } } : now;
}

function opening() {
	const token = $("token").value || undefined;
	const audio = { encoding: "pcm_s16le", rate: 16000, channels: 1 };
	return { ...wanted("session.start"), protocol: "1.0", audio, mode: "live", client: "page", token };
}

function arrange() {
	const alone = reading() === SOURCE && !both() && !targetOf(text.rows);
	const [one, other] = both() ? ["Between", "and"] : ["Spoken", "Read in"];
	$("source").previousSibling.textContent = one;
	$("target").previousSibling.textContent = other;
	body.classList.toggle("both", both());
	captions.right = both() && target();
	body.classList.toggle("alone", alone);
	body.classList.toggle("unheard", !alone && !text.rows.some((row) => row.cells?.[SOURCE]?.text || row.cells?.[SOURCE]?.tail));
	$("which").disabled = alone;
}

function look() {
	body.dataset.layout = $("layout").value;
	const root = document.documentElement;
	root.style.setProperty("--scale", $("size").value / 100);
	root.dataset.theme = $("theme").value;
}

const CHOICES = ["source", "target", "policy", "terms"];
for (const id of [...CHOICES, "layout", "size", "theme", "device"]) {
	const control = $(id);
	if (kept[id] != null) control.value = kept[id];
	else if (id === "size") control.value = 100;
	control.addEventListener(id === "size" ? "input" : "change", () => {
		keep(id, control.value);
		arrange();
		look();
		if (CHOICES.includes(id)) update();
		if (id === "device" && stream) open().catch(() => show("nodevice"));
	});
}

function update() {
	voices();
	link?.postMessage({ type: "update", message: wanted("session.update") });
}
for (const id of ["voice", "other"]) {
	$(id).onchange = () => {
		keep("voice", { ...kept.voice, [$(id).name]: $(id).value });
		update();
	};
}
$("speech").checked = kept.speech;
for (const id of ["speech", "both"]) {
	$(id).onchange = () => {
		keep(id, $(id).checked);
		arrange();
		update();
	};
}

// -- what is shown

const text = new Transcript(JSON.parse(localStorage.getItem("simul.rows") ?? "[]"));
const captions = new Captions($("rows"), $("scroll"), {
	hidden(n) {
		$("earlier").hidden = n <= 0;
		$("earlier").textContent = `${n} earlier`;
	},
	unseen(n) {
		$("newer").hidden = !n;
		$("newer").textContent = `${n} new ↓`;
	},
});
$("earlier").onclick = () => captions.redraw(text.rows, 300);
$("newer").onclick = () => captions.toEnd();

let state = "idle", detail, reason, until = 0;

function show(next, ...said) {
	state = next;
	[detail, reason] = said;
	until = performance.now() + (typeof detail === "number" ? detail : 0);
	if (PASSING.includes(next)) setTimeout(() => state === next && show("live"), 8000);
	draw();
}

function draw() {
	const counting = state === "reconnecting" || state === "full";
	const [tone, sentence] = STATES[state](counting ? until - performance.now() : detail, reason);
	body.dataset.state = state;
	body.dataset.tone = tone;
	const place = $("status").lastElementChild;
	if (place.textContent !== sentence) place.textContent = sentence;
}
setInterval(() => until > performance.now() - 1000 && draw(), 250);

const waiting = new Set();
let drawing, saving;

/** Rows that changed are drawn together, a few times a second. */
function changed(rows) {
	for (const row of rows) waiting.add(row);
	drawing ??= setTimeout(drawn, 40);
}

function drawn() {
	drawing = null;
	captions.update([...waiting], text.rows);
	waiting.clear();
	$("empty").hidden = text.rows.length > 0;
	$("export").disabled = !text.rows.length;
	arrange();
	saving ??= setTimeout(() => {
		saving = null;
		const settled = ([name, cell]) => [name, { ...cell, tail: "" }];
		const rows = text.rows.map((row) => (row.cells ? { ...row, cells: Object.fromEntries(Object.entries(row.cells).map(settled)) } : row));
		try {
			localStorage.setItem("simul.rows", JSON.stringify(rows));
		} catch {
			show("notice", "The browser's memory for this page is full: export the text, then clear the page.");
		}
	}, 1000);
}

function speak(message) {
	if (message.stream !== reading() && !both()) return;
	$("spoken").append(make("p", "", message.text, { lang: message.language }));
	while ($("spoken").childElementCount > 20) $("spoken").firstElementChild.remove();
}

// -- delay

let net = 0, unsent = 0, history = [];
for (const [name, label] of Object.entries(LAGS)) {
	const term = make("dt");
	term.append(make("i", name), label);
	$("lags").querySelector("dl").append(term, make("dd"));
}

function measure({ lag }) {
	if (!lag) return;
	const parts = [lag.queue, lag.compute, lag.policy, net + unsent];
	const total = parts.reduce((a, b) => a + b);
	$("lag").hidden = false;
	$("lag").lastElementChild.textContent = `${secs(total)} s`;
	$("lag").setAttribute("aria-label", `Delay ${secs(total)} seconds; details`);
	[...$("lag").firstElementChild.children].forEach((bar, i) => (bar.style.width = `${(100 * parts[i]) / Math.max(3000, total)}%`));
	$("lags").querySelectorAll("dd").forEach((dd, i) => (dd.textContent = `${secs(parts[i])} s`));
	const now = performance.now();
	history = [...history.filter(([at]) => at > now - 60000), [now, total]];
	const most = Math.max(...history.map(([, ms]) => ms), 1000);
	const points = history.map(([at, ms]) => `${240 - ((now - at) * 240) / 60000},${38 - (36 * ms) / most}`);
	$("lags").querySelector("polyline").setAttribute("points", points.join(" "));
}

// -- a session

let link, stream, context, node, totals, first, offset, lock;

const address = () => Object.assign(new URL("v1/session", document.baseURI), { protocol: location.protocol.replace("http", "ws") }).href;

function begin() {
	link = new Worker("link.js", { type: "module" });
	link.onmessage = ({ data }) => TOLD[data.type](data);
	served = null;
	first = text.run + 1;
	offset = text.end;
	totals = null;
	history = [];
	body.classList.add("running");
	$("start").lastElementChild.textContent = "Stop";
	show("connecting");
	link.postMessage({ type: "start", url: address(), message: opening() });
	navigator.wakeLock?.request("screen").then((held) => (lock = held), () => {});
}

const TOLD = {
	state({ state: next, detail, reason }) {
		if (next === "ended" || next === "error") return finish(next, next === "ended" ? totals : detail);
		if (next !== "resumed" || state !== "notice") show(next, detail, reason);
	},
	message({ message, run, offset: at }) {
		changed(text.apply(message, first + run, offset + at));
		MESSAGES[message.type]?.(message);
	},
	speech: ({ pcm }) => player?.port.postMessage(Float32Array.from(pcm, (v) => v / 32768)),
	level({ peak, rms, rtt, unsent: waiting }) {
		[net, unsent] = [rtt, Math.max(0, waiting - 100)];
		const value = Math.min(1, Math.max(0, 1 + Math.log10(Math.max(1e-4, rms * 1.4)) / 2.5)).toFixed(2);
		$("level").ariaValueNow = value;
		$("level").firstElementChild.style.scale = `${value} 1`;
		$("level").classList.toggle("clipped", peak > 0.98);
		if (unsent > 2500 && state === "live") show("behind", unsent, "the network is slow");
	},
	refused({ message, start }) {
		$("source").value = start.source;
		$("target").value = start.targets[0] ?? "";
		$("policy").value = start.policy?.name ?? "";
		arrange();
		show("notice", message);
	},
};

const MESSAGES = {
	settled: (message) => message.stream === reading() && measure(message),
	"session.ready": ({ config }) => (served = config.targets),
	"session.updated": ({ config }) => (served = config.targets),
	"segment.end": speak,
	progress({ queue_ms }) {
		if ((state === "live" && queue_ms > 4000) || (state === "behind" && queue_ms + unsent > 1500)) show("behind", Math.max(queue_ms, unsent), "the server is computing");
		else if (state === "behind") show("live");
	},
	"session.moving": ({ message }) => show("notice", message),
	"session.end": (message) => (totals = message),
	error: ({ fatal, message }) => fatal || show("notice", message),
	"speech.begin": ({ rate }) => speaker(rate),
	"speech.end": () => player?.port.postMessage("end"),
};

/** Listen to the chosen device, in place of what was listened to before. */
async function open() {
	const id = $("device").value;
	const cleaning = Object.fromEntries(["echoCancellation", "noiseSuppression", "autoGainControl"].map((name) => [name, $(name).checked]));
	const audio = { ...cleaning, ...(id && id !== "tab" ? { deviceId: { exact: id } } : {}) };
	const media = navigator.mediaDevices;
	const heard = await (id === "tab" ? media.getDisplayMedia({ audio: true, video: true }) : media.getUserMedia({ audio }));
	heard.getVideoTracks().forEach((track) => track.stop());
	if (!heard.getAudioTracks().length) throw new DOMException("no sound is shared", "NotFoundError");
	release();
	stream = heard;
	context = new AudioContext();
	await context.audioWorklet.addModule("capture.js");
	if (!link) begin();
	node = new AudioWorkletNode(context, "capture");
	const { port1, port2 } = new MessageChannel();
	node.port.postMessage({ out: port1 }, [port1]);
	link.postMessage({ type: "port", port: port2 }, [port2]);
	context.createMediaStreamSource(stream).connect(node).connect(context.destination);
	stream.getAudioTracks()[0].onended = () => {
		show("lost");
		$("device").value = "";
		open().then(() => show("live"), () => show("nodevice"));
	};
	devices();
}

function release() {
	stream?.getTracks().forEach((track) => Object.assign(track, { onended: null }).stop());
	context?.close();
	stream = context = node = null;
}

async function devices() {
	const list = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
	const found = list.filter((device) => device.kind === "audioinput" && device.deviceId && device.deviceId !== "default");
	const chosen = $("device").value;
	fill($("device"), [["", "The usual microphone"], ...found.map((d) => [d.deviceId, d.label || "Microphone"]), ["tab", "The sound of a tab or screen"]], "");
	$("device").value = [...$("device").options].some((option) => option.value === chosen) ? chosen : "";
}

async function start() {
	if (!isSecureContext || !navigator.mediaDevices) return show("insecure");
	show("asking");
	try {
		await open();
	} catch (error) {
		release();
		show(error.name === "NotAllowedError" ? "refused" : "nodevice");
	}
}

/** The last sounds are still on their way through the browser when the button is pressed. */
function stop() {
	show("draining");
	setTimeout(() => node?.port.postMessage("stop"), 150);
	setTimeout(() => {
		release();
		link?.postMessage({ type: "stop" });
	}, 300);
}

function finish(next, said) {
	release();
	lock?.release();
	original.pause();
	link.terminate();
	link = served = null;
	body.classList.remove("running");
	$("start").lastElementChild.textContent = "Start";
	drawn();
	show(next, said);
}

$("start").onclick = () => {
	if (!link) start();
	else if (state === "draining" || state === "reconnecting" || state === "full") finish("ended", totals);
	else stop();
};
addEventListener("keydown", (event) => event.ctrlKey && event.key === "Enter" && $("start").click());

// -- recordings

const original = new Audio();

async function recording(file) {
	if (!file || link) return;
	let sound;
	try {
		sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(await file.arrayBuffer());
	} catch {
		return show("unreadable", file.name);
	}
	const samples = new Float32Array(sound.length);
	for (let c = 0; c < sound.numberOfChannels; c++) {
		const channel = sound.getChannelData(c);
		for (let i = 0; i < samples.length; i++) samples[i] += channel[i] / sound.numberOfChannels;
	}
	begin();
	link.postMessage({ type: "play", samples }, [samples.buffer]);
	original.src = URL.createObjectURL(file);
	original.play().catch(() => {});
}

$("open").onclick = () => $("file").click();
$("file").onchange = () => recording($("file").files[0]);
for (const kind of ["dragover", "dragleave", "drop"]) {
	addEventListener(kind, (event) => {
		event.preventDefault();
		body.classList.toggle("dragging", kind === "dragover");
		if (kind === "drop") recording(event.dataTransfer.files[0]);
	});
}

// -- speech

let player, playing;

/** Make ready to play speech of `rate` Hz; what is heard besides is turned down by 18 dB meanwhile. */
function speaker(rate) {
	if (playing?.sampleRate === rate) return;
	const mine = (playing = new AudioContext({ sampleRate: rate }));
	const waiting = [];
	player = { port: { postMessage: (data) => waiting.push(data) } };
	mine.audioWorklet.addModule("player.js").then(() => {
		player = new AudioWorkletNode(mine, "player", { numberOfInputs: 0 });
		player.connect(mine.destination);
		waiting.forEach((data) => player.port.postMessage(data));
		player.port.onmessage = ({ data }) => {
			original.volume = data.playing ? 0.126 : 1;
		};
	});
}

// -- exports, panels

const written = (format) => write(format, text.rows, document.querySelector("[name=which]:checked").value, targetOf(text.rows));

for (const format of FORMATS) {
	const onclick = () => {
		const href = URL.createObjectURL(new Blob([written(format)], { type: "text/plain" }));
		make("a", "", "", { href, download: `simul.${format}` }).click();
		setTimeout(() => URL.revokeObjectURL(href), 10000);
	};
	$("formats").append(make("button", "plain", format.toUpperCase(), { onclick }));
}
$("copy").onclick = () => navigator.clipboard.writeText(written("txt"));
$("clear").onclick = () => {
	text.rows = [];
	waiting.clear();
	captions.redraw(text.rows);
	changed([]);
	$("exports").hidePopover();
};
$("settings-open").onclick = () => $("settings").showModal();
$("full").onclick = () => document.documentElement.requestFullscreen();
$("token").value = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("simul.token") ?? "";
$("token").onchange = () => sessionStorage.setItem("simul.token", $("token").value);

look();
devices();
choices();
captions.redraw(text.rows);
changed([]);
draw();
