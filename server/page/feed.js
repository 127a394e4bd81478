// Carries the captions of a stage to a watcher: over a WebSocket, or as Server-Sent Events where something breaks those.

const PATIENCE = 5000; // ms for a WebSocket to say something
const KINDS = ["watch.ready", "watch.state", "caption", "caption.tail", "error"];

/**
 * Follow a stage in a language ("": the one spoken). told(message) takes its messages, state(name) "connecting", "live",
 * "lost" or "none". After a break it goes on behind the last caption. Returns what stops it.
 */
export function follow({ base, lang, told, state }) {
	let socket, source, timer, after, stopped = false, failed = 0;

	function address(path) {
		const url = new URL(path, base);
		if (lang) url.searchParams.set("lang", lang);
		if (after !== undefined) url.searchParams.set("after", after);
		return url;
	}

	function take(data) {
		const message = JSON.parse(data);
		failed = 0;
		after = message.event ?? after;
		state("live");
		told(message);
	}

	function overSocket() {
		const url = address("v1/watch");
		url.protocol = url.protocol.replace("http", "ws");
		const mine = (socket = new WebSocket(url, "simul.v1"));
		let heard = false;
		timer = setTimeout(() => heard || mine.close(), PATIENCE);
		mine.onmessage = ({ data }) => {
			heard = true;
			if (!stopped) take(data);
		};
		mine.onclose = () => {
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
		for (const kind of KINDS) source.addEventListener(kind, ({ data }) => data && !stopped && take(data));
		source.onerror = () => {
			const closed = source.readyState === EventSource.CLOSED;
			state(closed ? "none" : "lost");
			if (closed && !stopped) timer = setTimeout(overEvents, 5000);
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
