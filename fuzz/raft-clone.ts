/**
 * Values in general: frozen, copied, and told apart, whatever classes they are of. For searches that go back to a state
 * of real objects, again and again.
 *
 * What is frozen is shared by copies, as nobody can change it; so are typed arrays, which nobody writes into once they
 * are made. Everything else is copied with its prototype, and what was one object twice is one in the copy. An arrow
 * function that is a field knows its object as `this`: it is made anew, from its text, for the copy. It may use nothing
 * else that is not global; if it does, calling it fails.
 */

/** The value itself, frozen through and through but for objects of classes. */
export function frozen<T>(value: T): T {
  if (!isPlain(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key of Object.keys(value)) frozen((value as Record<string, unknown>)[key]);
  return value;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype;
}

/** @param copies what has been copied already */
export function copy<T>(value: T, copies = new Map<object, unknown>()): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  const known = copies.get(value);
  if (known !== undefined) return known as T;
  return copyObject(value, copies) as T;
}

function copyObject(value: object, copies: Map<object, unknown>): object {
  if (Array.isArray(value)) {
    const result: unknown[] = [];
    copies.set(value, result);
    for (let at = 0; at < value.length; at++) result.push(copy(value[at], copies));
    return result;
  }
  if (value instanceof Map) {
    const result = new Map();
    copies.set(value, result);
    for (const [key, each] of value) result.set(key, copy(each, copies));
    return result;
  }
  if (value instanceof Set) {
    const result = new Set();
    copies.set(value, result);
    for (const each of value) result.add(copy(each, copies));
    return result;
  }
  const result = Object.create(Object.getPrototypeOf(value) as object) as Record<string, unknown>;
  copies.set(value, result);
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    result[key] = typeof field === "function" ? functionOf(String(field), result) : copy(field, copies);
  }
  return result;
}

const makers = new Map<string, () => unknown>();

function functionOf(text: string, owner: object): unknown {
  const known = makers.get(text);
  const maker = known ?? (new Function(`return ${text}`) as () => unknown);
  if (known === undefined) makers.set(text, maker);
  return maker.call(owner);
}

/**
 * A value as text, the same for states that behave the same. Instants, which are far larger than any other number here,
 * are told relative to `now`.
 *
 * @param earliest no instant is below it, every other number is
 */
export function textOf(value: unknown, now: number, earliest: number): string {
  const seen = new Map<object, number>();
  let text = "";
  const tell = (each: unknown): void => {
    if (typeof each === "number" && each >= earliest) text += ` @${each - now}`;
    else if (typeof each === "function") text += " function";
    else if (typeof each !== "object" || each === null) text += ` ${String(each)}`;
    else if (Object.isFrozen(each)) text += ` ~${numberOfFrozen(each)}`;
    else if (ArrayBuffer.isView(each)) text += ` <${String(each)}>`;
    else if (seen.has(each)) text += ` #${seen.get(each)}`;
    else {
      seen.set(each, seen.size);
      text += " {";
      if (each instanceof Map || each instanceof Set) for (const held of each.entries()) held.forEach(tell);
      else for (const key in each) tell((each as Record<string, unknown>)[key]);
      text += " }";
    }
  };
  tell(value);
  return text;
}

const frozenNumbers = new WeakMap<object, number>();
const numbersByText = new Map<string, number>();

/** The same for frozen values that read the same. They came over a boundary, and hold no instants. */
export function numberOfFrozen(value: object): number {
  const known = frozenNumbers.get(value);
  if (known !== undefined) return known;
  const number = numberOfText(JSON.stringify(value));
  frozenNumbers.set(value, number);
  return number;
}

export function numberOfText(text: string): number {
  const number = numbersByText.get(text) ?? numbersByText.size;
  numbersByText.set(text, number);
  return number;
}
