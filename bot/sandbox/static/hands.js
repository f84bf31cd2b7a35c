// A redraw under a finger would swallow the press, and one in the middle of a composed word the word: such work
// waits until the hands are off.

const AFTER_UP = 60; // milliseconds from lifting a finger to the click that comes of it

export class Hands {
  /** Watches over the hands on `node`. */
  constructor(node) {
    this.down = false;
    this.composing = false;
    this.later = new Map();
    const off = (wait) => setTimeout(() => this.release({ down: false }), wait);
    node.addEventListener("pointerdown", () => (this.down = true), true);
    // The press has arrived: what it does itself is drawn at once.
    node.addEventListener("click", () => {
      this.down = false;
      off(0);
    }, true);
    for (const type of ["pointerup", "pointercancel"]) window.addEventListener(type, () => this.down && off(AFTER_UP));
    node.addEventListener("compositionstart", () => (this.composing = true));
    node.addEventListener("compositionend", () => this.release({ composing: false }));
    window.addEventListener("blur", () => this.release({ down: false, composing: false }));
  }

  /** Do `work` now or when the hands are off; of several under one name only the last is done. */
  whenFree(name, work) {
    if (this.down || this.composing) this.later.set(name, work);
    else work();
  }

  release(what) {
    Object.assign(this, what);
    if (this.down || this.composing) return;
    const due = [...this.later.values()];
    this.later.clear();
    for (const work of due) work();
  }
}
