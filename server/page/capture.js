// Runs on the audio thread: mixes what is heard to mono and hands 20 ms blocks to the worker that owns the socket.

class Capture extends AudioWorkletProcessor {
	constructor() {
		super();
		this.block = new Float32Array(Math.round(sampleRate / 50));
		this.fill = 0;
		this.over = false;
		this.port.onmessage = ({ data }) => {
			if (data.out) this.out = data.out;
			else this.stop();
		};
	}

	stop() {
		this.send(this.block.slice(0, this.fill));
		this.out?.postMessage("end");
		this.over = true;
	}

	send(block) {
		this.out?.postMessage({ block, rate: sampleRate }, [block.buffer]);
	}

	process([input]) {
		if (this.over) return false;
		if (!input.length) return true;
		for (let i = 0; i < input[0].length; i++) {
			let value = 0;
			for (const channel of input) value += channel[i];
			this.block[this.fill++] = value / input.length;
			if (this.fill === this.block.length) {
				this.send(this.block);
				this.block = new Float32Array(this.fill);
				this.fill = 0;
			}
		}
		return true;
	}
}

registerProcessor("capture", Capture);
