// Changing a drawn message into its new state while everything that stays the same stays in place: a button under a
// finger keeps its press, and a screen reader is told only what is new.

const WHOLE = new Set(["BUTTON", "A", "IMG"]); // these hold handlers of their own, so they are kept or replaced whole

/** Turn `old` into `fresh`; returns the node that stands there afterwards. */
export function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || WHOLE.has(old.nodeName)) {
    old.replaceWith(fresh);
    return fresh;
  }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const name of fresh.getAttributeNames()) old.setAttribute(name, fresh.getAttribute(name));
  const had = [...old.childNodes];
  const wanted = [...fresh.childNodes];
  wanted.forEach((child, at) => (had[at] ? patch(had[at], child) : old.append(child)));
  for (const left of had.slice(wanted.length)) left.remove();
  return old;
}
