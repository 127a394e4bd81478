// Draws the rows of a transcript: one element for each, changed in place; settled text is only ever added to.

import { SOURCE, clock, direction } from "./state.js";

const MOST = 300; // rows in the document at once

export function make(tag, className = "", textContent = "", more = {}) {
	return Object.assign(document.createElement(tag), { className, textContent, ...more });
}

/** Rows in `list`, which scrolls in `scroller`; hidden(n) is told how many earlier rows are not shown. */
export class Captions {
	constructor(list, scroller, { hidden = () => {}, unseen = () => {} } = {}) {
		Object.assign(this, { list, scroller, hidden, unseen, most: MOST, drawn: new Map(), rows: [] });
		scroller.addEventListener("scroll", () => this.atEnd && unseen((this.fresh = 0)), { passive: true });
		new ResizeObserver(() => this.stay && this.toEnd()).observe(scroller);
	}

	get atEnd() {
		const { scrollTop, clientHeight, scrollHeight } = this.scroller;
		return (this.stay = scrollHeight - scrollTop - clientHeight < 60);
	}

	toEnd() {
		this.scroller.scrollTop = this.scroller.scrollHeight;
		this.unseen((this.fresh = 0));
	}

	/** Draw the rows that changed, of all. */
	update(changed, rows) {
		if (!changed.length) return;
		this.rows = rows;
		const follow = this.atEnd;
		for (const row of new Set(changed)) {
			let element = this.drawn.get(row.key);
			if (!element) {
				this.drawn.set(row.key, (element = this.element(row)));
				const next = this.drawn.get(rows[rows.indexOf(row) + 1]?.key);
				this.list.insertBefore(element, next ?? null);
				if (!follow) this.fresh = (this.fresh ?? 0) + 1;
			}
			for (const [stream, cell] of Object.entries(row.cells ?? {})) this.cell(element, stream, cell);
			element.classList.toggle("late", !Object.entries(row.cells ?? {}).some(([s, c]) => s !== SOURCE && (c.text || c.tail)));
		}
		while (this.list.childElementCount > this.most && follow) {
			this.drawn.delete(this.list.firstElementChild.dataset.key);
			this.list.firstElementChild.remove();
		}
		this.hidden(rows.length - this.list.childElementCount);
		if (follow) this.toEnd();
		else this.unseen(this.fresh);
	}

	element(row) {
		const element = make("li", row.gap ? "gap" : row.segment ? "row" : "row run");
		element.dataset.key = row.key;
		if (row.gap) {
			element.textContent = `${((row.gap.t1 - row.gap.t0) / 1000).toFixed(1)} s at ${clock(row.gap.t0)} are missing: ${row.gap.reason}.`;
		} else element.append(make("time"), make("p", SOURCE), make("p", "target"));
		return element;
	}

	cell(element, stream, cell) {
		if (stream === SOURCE) element.classList.toggle("turned", cell.language === this.right);
		const p = element.querySelector(stream === SOURCE ? ".source" : ".target");
		if (!p.firstChild) p.append(make("span", "settled"), make("span", "tail"));
		if (p.lang !== cell.language) Object.assign(p, { lang: cell.language, dir: direction(cell.language) });
		const [settled, tail] = p.children;
		const shown = settled.textContent.length;
		if (cell.text.length > shown) settled.append(cell.text.slice(shown));
		if (tail.textContent !== cell.tail) tail.textContent = cell.tail;
		const t0 = cell.pieces[0]?.[1];
		if (t0 !== undefined && !element.firstChild.textContent) element.firstChild.textContent = clock(t0);
	}

	/** Everything anew; more: that many earlier rows too. */
	redraw(rows, more = 0) {
		this.most = more ? this.most + more : MOST;
		this.drawn.clear();
		this.list.replaceChildren();
		const part = rows.slice(-this.most);
		this.update(part, rows);
		this.hidden(rows.length - part.length);
	}
}
