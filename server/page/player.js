// Runs on the audio thread: plays speech in a row without gaps. Nothing is dropped; pauses are shortened when behind.

const START = 0.06; // seconds that must be there before playing begins; more after each time it ran dry
const FADE = 0.005;
const BEHIND = 2; // seconds waiting above which pauses are shortened
const PAUSE = 0.4; // to this

class Player extends AudioWorkletProcessor {
	constructor() {
		super();
		this.queue = [];
		this.at = this.waiting = this.quiet = this.since = 0;
		this.start = START;
		this.playing = this.whole = false;
		this.port.onmessage = ({ data }) => {
			this.whole = data === "end"; // nothing more of this utterance: play even if it is short
			if (!this.whole && data.length) {
				this.queue.push(data);
				this.waiting += data.length;
			}
		};
	}

	next() {
		const block = this.queue[0];
		const value = block[this.at++];
		this.waiting--;
		if (this.at === block.length) {
			this.queue.shift();
			this.at = 0;
		}
		return value;
	}

	sample() {
		let value = this.next();
		this.quiet = Math.abs(value) < 0.003 ? this.quiet + 1 : 0;
		while (this.quiet > PAUSE * sampleRate && this.waiting > BEHIND * sampleRate) {
			value = this.next();
			if (Math.abs(value) >= 0.003) this.quiet = 0;
		}
		this.since++;
		const edge = Math.min(this.since, this.waiting + 1) / (FADE * sampleRate);
		return edge < 1 ? value * edge : value;
	}

	process(_, [[out]]) {
		if (!this.playing && this.waiting && (this.whole || this.waiting >= this.start * sampleRate)) {
			this.playing = true;
			this.since = 0;
		}
		for (let i = 0; i < out.length && this.playing; i++) {
			out[i] = this.sample();
			if (!this.waiting) {
				this.playing = false;
				if (!this.whole) this.start = Math.min(0.5, this.start * 2);
			}
		}
		if (this.playing !== this.told) this.port.postMessage({ playing: (this.told = this.playing) });
		return true;
	}
}

registerProcessor("player", Player);
