// Resampling by a windowed-sinc polyphase filter whose phase and history carry over between blocks.

export const RATE = 16000;
const ZEROS = 32; // zero crossings on either side
const BETA = 6.76; // Kaiser window for 70 dB

function bessel(x) {
	let sum = 1;
	for (let k = 1, term = 1; term > 1e-10 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
	return sum;
}

function gcd(a, b) {
	return b ? gcd(b, a % b) : a;
}

/** Mono samples at the rate `from` in blocks of any size; out come all samples at `to` that are certain by then. */
export class Resampler {
	constructor(from, to = RATE) {
		const common = gcd(from, to);
		this.up = to / common;
		this.down = from / common;
		this.half = from === to ? 0 : Math.ceil(ZEROS * Math.max(1, from / to));
		this.rest = new Float32Array(Math.max(0, this.half - 1)); // silence before the first sample
		this.phase = 0;
		this.table = this.half ? this.filters(from, to) : null;
	}

	filters(from, to) {
		const { half, up } = this;
		const transition = 62 / (2.285 * 2 * half * 2 * Math.PI); // of the rate `from`
		const cutoff = (0.5 * Math.min(from, to)) / from - transition / 2;
		const table = [];
		for (let phase = 0; phase < up; phase++) {
			const taps = new Float64Array(2 * half);
			let sum = 0;
			for (let k = 0; k < 2 * half; k++) {
				const x = k - half + 1 - phase / up;
				const angle = 2 * Math.PI * cutoff * x;
				const window = Math.abs(x) < half ? bessel(BETA * Math.sqrt(1 - (x / half) ** 2)) : 0;
				sum += taps[k] = (angle ? Math.sin(angle) / angle : 1) * window;
			}
			table.push(taps.map((tap) => tap / sum));
		}
		return table;
	}

	push(block) {
		if (!this.table) return block;
		const { half, up, down, table } = this;
		const all = new Float32Array(this.rest.length + block.length);
		all.set(this.rest);
		all.set(block, this.rest.length);
		const out = [];
		let at = 0;
		while (at + 2 * half <= all.length) {
			const taps = table[this.phase];
			let value = 0;
			for (let k = 0; k < taps.length; k++) value += taps[k] * all[at + k];
			out.push(value);
			this.phase += down;
			at += Math.floor(this.phase / up);
			this.phase %= up;
		}
		this.rest = all.slice(at);
		return Float32Array.from(out);
	}

	/** The last samples, which waited for what comes after them. */
	finish() {
		return this.half ? this.push(new Float32Array(this.half)) : new Float32Array(0);
	}
}

/** Samples of -1 to 1 as 16-bit integers, by the rule by which browsers turn those into samples. */
export function toInt16(samples) {
	return Int16Array.from(samples, (v) => Math.max(-32768, Math.min(32767, Math.round(v * (v < 0 ? 32768 : 32767)))));
}
