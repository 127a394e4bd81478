// The worker that owns the socket. It keeps audio until the server has settled it, numbers it by samples, and after a
// break goes on with the session; where the session is gone, a new one begins behind the last settled word.

import { RATE, Resampler, toInt16 } from "./resample.js";

const FRAME = RATE / 10;
const KEEP = 60 * RATE; // acknowledged audio that is kept in case the session is lost
const MOST = 600 * RATE; // audio that the server does not have yet
const LARGEST = 15000; // samples of a frame
const FULL = 2 * 2 * RATE; // bytes in the socket above which audio is held back
const SILENT = 12000; // ms without a message after which a connection counts as lost
const NUMBERED = new Set("session.updated settled segment.end speech.end gap degraded marked flushed session.end".split(" "));
const RESUMABLE = new Set([1001, 1005, 1006, 1011, 1012, 1013, 4421]);
const GONE = new Set([1000, 4404, 4408, 4410, 4413]); // the session is over, and the audio is not

const tell = (type, data = {}) => postMessage({ type, ...data });
const now = () => performance.now();

/** Audio by sample number: pieces of up to 100 ms, in which `pcm` is null where no audio was to be had. */
class Ring {
	pieces = [];
	end = 0;

	get first() {
		return this.pieces[0]?.at ?? this.end;
	}

	add(pcm, n = pcm.length) {
		const last = this.pieces.at(-1);
		if (pcm && last?.pcm && last.n + n <= FRAME) {
			const joined = new Int16Array(last.n + n);
			joined.set(last.pcm);
			joined.set(pcm, last.n);
			Object.assign(last, { pcm: joined, n: last.n + n });
		} else if (n) this.pieces.push({ at: this.end, n, pcm });
		this.end += n;
	}

	/** What begins at `at`: samples, not more than LARGEST, or {n} of a gap; null: nothing. */
	from(at) {
		if (at < this.first) return { n: this.first - at };
		const found = [];
		for (const piece of this.pieces) {
			const skip = Math.max(0, at - piece.at);
			if (skip >= piece.n) continue;
			if (!piece.pcm) return found.length ? Int16Array.from(found) : { n: piece.n - skip };
			if (found.length + piece.n > LARGEST) break;
			found.push(...piece.pcm.subarray(skip));
		}
		return found.length ? Int16Array.from(found) : null;
	}

	forget(before) {
		while (this.pieces.length && this.pieces[0].at + this.pieces[0].n <= before) this.pieces.shift();
	}
}

const ring = new Ring();
let url, start, socket, session, resampler, fed;
let sent = 0; // sample that is sent next
let had = 0; // samples that the server has
let settled = 0; // samples whose text is settled
let base = 0; // sample at which the session began
let seq = 0, acked = 0, run = -1, tries = 0, short = 0;
let paused = false, ended = false, ending = false, over = false; // the audio, what the server knows of it, all
let heard = 0, retryAt = 0, retryAfter = 0, began = 0, rtt = 0, missing = 0;
let peak = 0, power = 0, counted = 0;
let saying, said; // the utterance that is heard, samples passed on by stream
let problem = "", former = null, resend = null; // the choices before the last change, a change that is to be sent

// -- audio

function take(block) {
	if (over || ended) return;
	for (const value of block) {
		peak = Math.max(peak, Math.abs(value));
		power += value * value;
	}
	counted += block.length;
	fed = now();
	ring.add(toInt16(block));
	pump();
}

/** Real time that passed without audio, so that what follows keeps its place. */
function hole(ms) {
	if (ms > 50) ring.add(null, Math.round(ms) * (RATE / 1000));
}

function endAudio() {
	if (ended) return;
	if (resampler) take(resampler.finish());
	ended = true;
	pump();
}

function hear({ data }) {
	if (data === "end") return endAudio();
	if (fed && !resampler) hole(now() - fed - (1000 * data.block.length) / data.rate);
	resampler ??= new Resampler(data.rate);
	const block = resampler.push(data.block);
	if (block.length) take(block);
}

/** Plays a recording into the session in real time. */
function play(samples) {
	const from = now();
	let at = 0;
	const timer = setInterval(() => {
		const until = Math.min(samples.length, Math.floor(((now() - from) * RATE) / 1000));
		if (at < until) take(samples.subarray(at, until));
		at = until;
		if (at < samples.length && !ended && !over) return;
		clearInterval(timer);
		endAudio();
	}, 50);
}

function pump() {
	if (socket?.readyState !== 1 || paused) return;
	while (socket.bufferedAmount < FULL) {
		if (!ended && ring.end - sent < FRAME) break;
		const next = ring.from(sent);
		if (!next) break;
		if (next.n) {
			const gap = Math.max(1, Math.round(ms(next.n)));
			say({ type: "gap", ms: gap });
			sent += gap * (RATE / 1000);
			continue;
		}
		socket.send(next);
		sent += next.length;
	}
	if (ended && session && sent >= ring.end && !ending) {
		ending = true;
		say({ type: "end" });
		report("draining");
	}
}

function trim() {
	ring.forget(Math.min(had, Math.max(settled, ring.end - KEEP)));
	ring.forget(ring.end - MOST);
}

// -- the socket

const say = (message) => socket.send(JSON.stringify(message));

function connect() {
	retryAt = retryAfter = 0;
	heard = now();
	paused = true;
	ending = false;
	const mine = (socket = new WebSocket(url, "simul.v1"));
	mine.binaryType = "arraybuffer";
	mine.onopen = () => {
		heard = now();
		if (session) {
			const next_sample = Math.max(0, ring.first - base);
			say({ type: "session.resume", session: session.id, resume_token: session.token, last_seq: seq, next_sample, token: start.token });
			return;
		}
		base = sent = had = Math.max(ring.first, Math.min(settled, ring.end));
		missing = base - settled;
		seq = acked = 0;
		said = {};
		run++;
		say(start);
	};
	mine.onmessage = ({ data }) => mine === socket && receive(data);
	mine.onclose = ({ code, reason }) => mine === socket && closed(code, reason);
}

function receive(data) {
	heard = now();
	if (typeof data !== "string") return hearSpeech(new Int16Array(data));
	const message = JSON.parse(data);
	if (NUMBERED.has(message.type)) {
		if (message.seq <= seq) return;
		seq = message.seq;
	} else if (message.type === "snapshot") seq = message.seq;
	HANDLERS[message.type]?.(message);
	pass(message);
}

/** Speech of the utterance `saying`; what was passed on before the connection broke is not said again. */
function hearSpeech(pcm) {
	const skip = Math.max(0, (said[saying.stream] ?? 0) - saying.position);
	saying.position += pcm.length;
	if (skip >= pcm.length) return;
	said[saying.stream] = saying.position;
	tell("speech", { pcm: pcm.subarray(skip) });
}

function pass(message) {
	tell("message", { message, run, offset: ms(base) });
}

const HANDLERS = {
	"session.waiting"(message) {
		report("waiting", message.message);
		paused = message.reason === "capacity";
		pump();
	},
	"session.ready"(message) {
		session = { id: message.session, token: message.resume_token, targets: message.config.targets };
		welcome(missing, run ? "resumed" : "live");
		const reason = "the connection was lost for too long";
		if (missing > 0) pass({ type: "gap", t0: -ms(missing), t1: 0, reason });
	},
	"session.resumed"(message) {
		session.token = message.resume_token;
		sent = had = base + message.next_sample;
		welcome(message.gap ? (message.gap.t1 - message.gap.t0) * (RATE / 1000) : 0, "resumed");
	},
	"speech.begin": (message) => (saying = { ...message }),
	"audio.ack"(message) {
		had = Math.max(had, base + message.samples);
	},
	settled(message) {
		if (session.targets.includes(message.stream)) former = null; // the last change was taken
		if (message.stream !== "source" || !session.targets.length) settled = Math.max(settled, base + message.t1 * (RATE / 1000));
	},
	pong(message) {
		rtt = now() - message.ts;
	},
	"session.updated"(message) {
		const { source, targets, two_way } = message.config;
		start = two_way.length ? { ...start, two_way } : { ...start, source, targets };
		session.targets = targets;
	},
	error(message) {
		if (!message.fatal) return;
		retryAfter = message.retry_after_ms ?? 0;
		problem = [message.message, message.hint].filter(Boolean).join(" ");
	},
	"session.end"() {
		over = ended;
	},
};

const ms = (samples) => (samples * 1000) / RATE;

/** The server goes on with the audio; `gap` samples of it are lost. */
function welcome(gap, state) {
	tries = 0;
	began = now();
	paused = false;
	problem = "";
	say({ type: "ping", ts: now() });
	if (resend) say(resend);
	resend = null;
	report(gap > 0 ? "gap" : state, ms(gap));
	pump();
}

function closed(code, reason) {
	socket = null;
	if (over) return quit("ended");
	if (began) short = now() - began < 5000 ? short + 1 : 0;
	began = 0;
	const stale = code === 4401 && session; // the answer with the next resume token was lost
	const refused = code === 4422 && former;
	const again = RESUMABLE.has(code) || GONE.has(code) || stale || refused;
	if (refused) {
		start = former;
		former = null;
		tell("refused", { message: problem || reason, start });
	}
	if (GONE.has(code) || stale || refused) session = null;
	if (!again || short > 3) return quit("error", problem || reason || `The server closed the connection (${code}).`);
	const delay = retryAfter || Math.min(5000, 300 * 2 ** tries) * (0.75 + Math.random() / 2);
	tries++;
	retryAt = now() + delay;
	if (!refused) report(retryAfter ? "full" : "reconnecting", delay, problem);
}

function quit(state, detail) {
	over = true;
	report(state, detail);
}

function report(state, detail, reason) {
	tell("state", { state, detail, reason });
}

// -- time

let ticks = 0;
function tick() {
	if (over) return;
	ticks++;
	if (retryAt && now() >= retryAt) connect();
	const open = socket?.readyState === 1;
	if (open) pump();
	if (open && ticks % 15 === 0 && seq > acked) say({ type: "ack", seq: (acked = seq) });
	if (open && ticks % 60 === 0) say({ type: "ping", ts: now() });
	if (socket && now() - heard > SILENT) {
		const stuck = socket;
		stuck.close();
		if (stuck === socket) {
			stuck.onclose = null;
			closed(1006, "");
		}
	}
	trim();
	const unsent = ring.end - sent + (socket?.bufferedAmount ?? 0) / 2;
	tell("level", { peak, rms: Math.sqrt(power / Math.max(1, counted)), rtt, unsent: ms(unsent), heard: ms(ring.end) });
	peak = power = counted = 0;
}

const COMMANDS = {
	start(data) {
		({ url, message: start } = data);
		setInterval(tick, 66);
		connect();
	},
	port({ port }) {
		if (resampler) take(resampler.finish());
		resampler = null;
		port.onmessage = hear;
	},
	play: ({ samples }) => play(samples),
	update({ message }) {
		if (session) former ??= start;
		start = { ...start, ...message, type: "session.start" };
		if (session && socket?.readyState === 1 && !paused) say(message);
		else if (session) resend = message;
	},
	stop: endAudio,
};

onmessage = ({ data }) => COMMANDS[data.type](data);
self.addEventListener("online", () => retryAt && connect());
