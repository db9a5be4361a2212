/**
 * Values in general: frozen, copied, and told apart, whatever classes they are of. For searches that go back to a state
 * of real objects, again and again.
 *
 * What is frozen is shared by copies, as nobody can change it; so are typed arrays, which nobody writes into once they
 * are made. Everything else is copied with its prototype, and what was one object twice is one in the copy.
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
  if (typeof value === "function") throw new Error("a state holds no functions: they cannot be copied");
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
  for (const key in value) result[key] = copy((value as Record<string, unknown>)[key], copies);
  return result;
}

/**
 * A value as text, the same for states that behave the same. Instants, which are far larger than any other number here,
 * are told relative to `now`.
 *
 * @param earliest no instant is below it, every other number is
 */
export function textOf(value: unknown, now: number, earliest: number): string {
  const parts: string[] = [];
  const seen = new Map<object, number>();
  const tell = (each: unknown): void => {
    if (typeof each === "number" && each >= earliest) parts.push(`@${each - now}`);
    else if (typeof each !== "object" || each === null) parts.push(String(each));
    else if (ArrayBuffer.isView(each)) parts.push(`<${String(each)}>`);
    else if (seen.has(each)) parts.push(`#${seen.get(each)}`);
    else {
      seen.set(each, seen.size);
      tellObject(each);
    }
  };
  const tellObject = (each: object): void => {
    parts.push("{");
    if (each instanceof Map) for (const [key, held] of each) parts.push(String(key)), tell(held);
    else if (each instanceof Set) for (const held of each) tell(held);
    else for (const key in each) tell((each as Record<string, unknown>)[key]);
    parts.push("}");
  };
  tell(value);
  return parts.join(" ");
}
