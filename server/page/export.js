// Transcripts as files: text, SubRip, WebVTT, JSON. Subtitles have up to two lines and last up to seven seconds.

import { SOURCE, clock } from "./state.js";

const LONGEST = 7000; // ms
const WIDE = /^(ja|zh|ko|yue|th|lo|km|my)\b/;

/** What is chosen: the streams of a row in the order in which they are to be read. */
function chosen(row, which, target) {
	const names = which === "both" ? [target, SOURCE] : [which === "source" ? SOURCE : target];
	const other = Object.keys(row.cells ?? {}).find((name) => name !== SOURCE);
	return names.map((name) => row.cells?.[name] ?? (name === target && row.cells?.[other])).filter((cell) => cell?.text?.trim());
}

/** The time (ms) of the character `at` of a cell. */
function timeAt(cell, at) {
	for (const [length, t0, t1] of cell.pieces) {
		if (at <= length) return t0 + ((t1 - t0) * at) / Math.max(1, length);
		at -= length;
	}
	return cell.pieces.at(-1)?.[2] ?? 0;
}

/** Cut a text into `count` parts of about the same length, between words. */
function parts(text, count, language) {
	const words = [...new Intl.Segmenter(language || undefined, { granularity: "word" }).segment(text)].map((w) => w.segment);
	const found = Array.from({ length: count }, () => "");
	let length = 0;
	for (const word of words) {
		const mark = /^[\s\p{P}]+$/u.test(word) && length; // stays with the word before it
		const middle = mark ? length - 1 : length + word.length / 2;
		found[Math.min(count - 1, Math.floor((middle * count) / text.length))] += word;
		length += word.length;
	}
	return found;
}

const width = (cell) => (WIDE.test(cell.language) ? 16 : 42);

/** Subtitles in order: {t0, t1, lines}. */
export function cues(rows, which, target) {
	const found = [];
	for (const row of rows) {
		const cells = chosen(row, which, target);
		if (!cells.length) continue;
		const [first] = cells;
		const begin = Math.min(...first.pieces.map((piece) => piece[1]));
		const end = timeAt(first, first.text.length);
		const per = cells.length > 1 ? 1 : 2; // lines of each text
		const needed = cells.map((cell) => Math.ceil((cell.text.trim().length * 1.1) / (per * width(cell))));
		const count = Math.max(1, Math.ceil((end - begin) / LONGEST), ...needed);
		const texts = cells.map((cell) => parts(cell.text.trim(), count, cell.language));
		let at = 0;
		for (let i = 0; i < count; i++) {
			const t0 = i ? timeAt(first, at) : begin;
			at += texts[0][i].length;
			const t1 = i === count - 1 ? end : timeAt(first, at);
			const lines = texts.flatMap((text, n) => wrapped(text[i].trim(), per, cells[n])).filter(Boolean);
			if (lines.length) found.push({ t0: Math.round(t0), t1: Math.round(t1), lines });
		}
	}
	found.sort((a, b) => a.t0 - b.t0);
	found.forEach((cue, i) => {
		cue.t1 = Math.max(cue.t1, cue.t0 + 1000);
		if (found[i + 1]) cue.t1 = Math.max(cue.t0 + 1, Math.min(cue.t1, found[i + 1].t0));
	});
	return found;
}

function wrapped(text, lines, cell) {
	return lines < 2 || text.length <= width(cell) ? [text] : parts(text, 2, cell.language).map((line) => line.trim());
}

function stamp(ms, point) {
	const n = (value, digits) => String(Math.floor(value)).padStart(digits, "0");
	return `${n(ms / 3600000, 2)}:${n((ms / 60000) % 60, 2)}:${n((ms / 1000) % 60, 2)}${point}${n(ms % 1000, 3)}`;
}

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const WRITERS = {
	txt(rows, which, target) {
		const lines = rows.map((row) => {
			if (row.gap) return `[${clock(row.gap.t0)}–${clock(row.gap.t1)}: ${row.gap.reason}]\n`;
			return chosen(row, which, target).map((cell) => cell.text.trim() + "\n").join("");
		});
		return lines.filter(Boolean).join(which === "both" ? "\n" : "");
	},
	srt(rows, which, target) {
		const block = (cue, i) => `${i + 1}\n${stamp(cue.t0, ",")} --> ${stamp(cue.t1, ",")}\n${cue.lines.join("\n")}\n`;
		return cues(rows, which, target).map(block).join("\n");
	},
	vtt(rows, which, target) {
		const block = (cue) => `${stamp(cue.t0, ".")} --> ${stamp(cue.t1, ".")}\n${escaped(cue.lines.join("\n"))}\n`;
		return ["WEBVTT\n", ...cues(rows, which, target).map(block)].join("\n");
	},
	json(rows) {
		const text = ([stream, cell]) => {
			const { language, pieces } = cell;
			return [stream, { language, text: cell.text.trim(), t0: pieces[0]?.[1] ?? 0, t1: pieces.at(-1)?.[2] ?? 0 }];
		};
		const segment = (row) =>
			row.gap ? { gap: row.gap } : { streams: Object.fromEntries(Object.entries(row.cells).filter(([, c]) => c.text.trim()).map(text)) };
		return JSON.stringify({ format: "simul-transcript", unit: "ms", segments: rows.map(segment) }, null, 1) + "\n";
	},
};

export const FORMATS = Object.keys(WRITERS);

/** The settled text of `rows` in a format of FORMATS; which: "target", "source" or "both". */
export function write(format, rows, which, target) {
	return WRITERS[format](rows, target ? which : "source", target ?? SOURCE);
}
