// Carries the text of a stage to a watcher: over a WebSocket, or as Server-Sent Events where something breaks those.

const PATIENCE = 5000; // ms for a WebSocket to say something

/**
 * Follow a stage in a language from the message after `after` on (0: as much as the server keeps).
 * told(message) takes messages of simul.v1, state(name) "connecting", "live" or "lost". Returns how to stop.
 */
export function follow({ base, lang, told, state, after = 0 }) {
	let socket, source, timer, stopped = false, failed = 0;

	const address = (path) => {
		const url = new URL(path, base);
		url.search = new URLSearchParams({ lang, after });
		return url;
	};

	function take(data) {
		const message = JSON.parse(data);
		if (message.seq > after || !message.seq || message.type === "tail") told(message);
		after = Math.max(after, message.seq ?? 0);
		failed = 0;
		state("live");
	}

	function overSocket() {
		const url = address("v1/watch");
		url.protocol = url.protocol.replace("http", "ws");
		socket = new WebSocket(url, "simul.v1");
		let heard = false;
		timer = setTimeout(() => heard || socket.close(), PATIENCE);
		socket.onmessage = ({ data }) => {
			heard = true;
			take(data);
		};
		socket.onclose = () => {
			clearTimeout(timer);
			if (stopped) return;
			state("lost");
			failed++;
			if (!heard && failed > 1) overEvents();
			else timer = setTimeout(overSocket, Math.min(5000, 300 * 2 ** failed) * (0.5 + Math.random()));
		};
	}

	function overEvents() {
		source = new EventSource(address("v1/watch/events"));
		source.onmessage = ({ data }) => take(data);
		source.onerror = () => {
			state("lost");
			if (source.readyState === 2) timer = setTimeout(overEvents, 3000);
		};
	}

	state("connecting");
	overSocket();
	return () => {
		stopped = true;
		clearTimeout(timer);
		socket.close();
		source?.close();
	};
}
