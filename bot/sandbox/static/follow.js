// Keeping the end of a growing list in sight, until the reader scrolls away from it.

const NEAR = 80; // pixels from the end that still count as reading the newest

export class Follower {
  /** `scroller` scrolls `content` (may be itself); `reached()` is called whenever its end comes into sight. */
  constructor(scroller, content, reached = () => {}) {
    Object.assign(this, { scroller, reached });
    this.following = true;
    this.size = "";
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // A keyboard that opens or a picture that arrives changes sizes without anybody scrolling.
    this.watcher = new ResizeObserver(() => this.following && this.toEnd());
    for (const node of new Set([scroller, content])) this.watcher.observe(node);
  }

  scrolled() {
    // The browser reports a scroll that a new size caused just like the reader's own: that one is not a wish.
    if (this.size !== this.measure()) return;
    this.following = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR;
    if (this.following) this.reached();
  }

  measure() {
    return `${this.scroller.clientHeight}/${this.scroller.scrollHeight}`;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.following = true;
    this.size = this.measure();
    this.reached();
  }

  /** After the content changed: to the end, unless the reader is elsewhere. */
  settle() {
    if (this.following) this.toEnd();
    else this.size = this.measure();
  }

  leave() {
    this.watcher.disconnect();
  }
}
