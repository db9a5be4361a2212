/** Inputs and effects in words, for people who read a failed run: messages decoded, payloads as their size. */
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import { decodeLetter } from "../../core/wire/peer-codec.ts";
import { decodeClientMessage, decodeNodeMessage } from "../../core/wire/statement-codec.ts";
import type { Packet } from "../packet.ts";

const MAX_TEXT = 120;

export function describeInput(input: NodeInput): string {
  switch (input.type) {
    case "PeerReceived": {
      const letter = decodeLetter(input.bytes);
      return `PeerReceived from ${input.from} ${letter.ok ? inWords(letter.letter.message) : inWords(letter)}`;
    }
    case "ClientReceived": {
      const message = decodeClientMessage(input.bytes);
      return `ClientReceived from ${input.from} ${inWords(message.ok ? message.value : message)}`;
    }
    default:
      return inWords(input);
  }
}

export function describeEffect(effect: NodeEffect): string {
  switch (effect.type) {
    case "Send": {
      const letter = decodeLetter(effect.bytes);
      return `Send to ${effect.to} ${letter.ok ? inWords(letter.letter.message) : inWords(letter)}`;
    }
    case "Respond": {
      const message = decodeNodeMessage(effect.bytes);
      return `Respond to ${effect.to} ${inWords(message.ok ? message.value : message)}`;
    }
    default:
      return inWords(effect);
  }
}

/** What a packet is, in a word or two. */
export function namePacket({ from, connection, bytes }: Packet): string {
  if (bytes === null) return "a reset";
  if (connection === null) {
    const letter = decodeLetter(bytes);
    return letter.ok ? letter.letter.message.type : "a message";
  }
  const message = from === connection.client ? decodeClientMessage(bytes) : decodeNodeMessage(bytes);
  return message.ok ? message.value.type : "a message";
}

/** `Name field=value field=value`, nested values in braces. */
export function inWords(value: unknown): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (typeof value === "string") return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(inWords).join(" ")}]`;
  const words: string[] = [];
  for (const [name, field] of Object.entries(value) as [string, unknown][]) {
    if (name === "type") words.unshift(String(field));
    else words.push(`${name}=${isGroup(field) ? `{${inWords(field)}}` : inWords(field)}`);
  }
  return words.join(" ");
}

function isGroup(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
