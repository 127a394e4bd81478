// The text of a page as it stands, folded from messages: rows of segments, in each row a cell for each stream.

export const SOURCE = "source";

/**
 * A row: {key, run, segment, cells} with cells by stream: {text, tail, done, language, pieces: [[length, t0, t1], ...]},
 * or {gap: {t0, t1, reason}}. Times are ms since the first session began; `run` numbers the sessions.
 */
export class Transcript {
	constructor(rows = []) {
		this.rows = rows;
	}

	get run() {
		return this.rows.at(-1)?.run ?? -1;
	}

	get end() {
		const ends = (row) => [row.gap?.t1 ?? 0, ...Object.values(row.cells ?? {}).map((c) => c.pieces.at(-1)?.[2] ?? 0)];
		return Math.max(0, ...this.rows.slice(-20).flatMap(ends));
	}

	/** Take in a message of the session `run`, whose clock began at `offset`; the rows that it changed. */
	apply(message, run = 0, offset = 0) {
		if (message.type === "snapshot") return message.streams.flatMap((stream) => this.restore(stream, run));
		if (message.type === "gap") {
			const gap = { t0: message.t0 + offset, t1: message.t1 + offset, reason: message.reason };
			const row = { key: `gap ${run} ${gap.t0} ${this.rows.length}`, run, segment: Infinity, gap };
			this.rows.push(row);
			return [row];
		}
		if (!["settled", "tail", "segment.end"].includes(message.type)) return [];
		const row = this.row(run, message.segment, message.type === "tail" && !message.text);
		if (!row) return [];
		const cell = this.cell(row, message.stream, message.language);
		if (message.type === "settled") {
			const text = cell.text ? message.text : message.text.trimStart();
			cell.pieces.push([text.length, message.t0 + offset, message.t1 + offset]);
			cell.text += text;
			cell.tail = message.tail ?? "";
		} else if (message.type === "tail") cell.tail = message.text;
		else Object.assign(cell, { done: true, tail: "" });
		return [row];
	}

	row(run, segment, known) {
		let at = this.rows.length;
		const before = (row) => row.run < run || (row.run === run && (row.gap || row.segment <= segment));
		while (at && !before(this.rows[at - 1])) at--;
		for (let i = at - 1; i >= 0 && this.rows[i].run === run; i--) {
			if (this.rows[i].segment === segment) return this.rows[i];
			if (!this.rows[i].gap && this.rows[i].segment < segment) break;
		}
		if (known) return null;
		const row = { key: `${run}:${segment}`, run, segment, cells: {} };
		this.rows.splice(at, 0, row);
		return row;
	}

	cell(row, stream, language) {
		row.cells[stream] ??= { text: "", tail: "", done: false, language, pieces: [] };
		return row.cells[stream];
	}

	/** A stream told whole: what of it is not here yet is put behind what is. */
	restore({ stream, segments, segment, text, tail }, run) {
		const known = this.rows.filter((row) => row.run === run && row.cells?.[stream]);
		const language = known.at(-1)?.cells[stream].language ?? (stream === SOURCE ? "" : stream);
		const done = known.filter((row) => row.cells[stream].done).length;
		const open = known.find((row) => !row.cells[stream].done);
		const missing = segments.slice(done);
		const numbers = missing.map((_, i) => segment - missing.length + i);
		if (open && numbers.length) numbers[0] = open.segment;
		const last = missing.length ? [...missing.entries()].map(([i, whole]) => [numbers[i], whole, true]) : [];
		return [...last, [segment, text.trimStart(), false, tail]].flatMap(([number, whole, over, behind = ""]) => {
			if (!whole && !behind) return [];
			const row = this.row(run, number);
			const cell = this.cell(row, stream, language);
			const added = whole.startsWith(cell.text) ? whole.slice(cell.text.length) : "";
			if (added) cell.pieces.push([added.length, this.end, this.end]);
			cell.text += added;
			return Object.assign(cell, { tail: behind, done: over }) && [row];
		});
	}
}

/** The stream that a translation is read in: the first that is not the source. */
export function targetOf(rows) {
	for (let i = rows.length - 1; i >= 0; i--) {
		const found = Object.keys(rows[i].cells ?? {}).find((name) => name !== SOURCE);
		if (found) return found;
	}
	return null;
}

const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|iw|ks|ps|sd|syr|ug|ur|yi)\b/;

/** The direction in which a language is written. */
export function direction(language) {
	return RIGHT_TO_LEFT.test(language) ? "rtl" : "ltr";
}

/** m:ss, or h:mm:ss. */
export function clock(ms) {
	const s = Math.floor(ms / 1000);
	const two = (n) => String(n).padStart(2, "0");
	return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}
