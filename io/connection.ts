/**
 * Frames over one TCP connection, once it stands: whole and in order, or the connection ends. It knows neither hello
 * nor messages; listener.ts and dialer.ts put those on top.
 *
 * What is sent within one turn of the event loop leaves in one system call. What waits to be sent is bounded: beyond
 * the bound a frame is dropped, which all protocols of ours bear.
 *
 * A host that loses its power says nothing, and TCP takes a quarter of an hour to notice. So each side answers
 * content within a second, if need be by an empty frame (a *pulse*), and who has sent content and hears nothing for
 * several beats gives the connection up. An idle connection costs nothing. Beats are counted, not time: after a pause
 * of our own process what has arrived meanwhile is heard before the next beat.
 */
import type net from "node:net";
import { FrameReader, encodeFrame, frameHeader, FRAME_HEADER_SIZE } from "../core/wire/frame.ts";

export const BEAT_MS = 1000;
const SILENT_BEATS = 5;
/** Idle connections of which the other side vanished are found by TCP itself, from then on. */
const KEEP_ALIVE_MS = 30_000;
/** A body up to so many bytes is copied behind its header: cheaper than a second buffer for the system. */
const JOIN_BYTES = 1024;
const PULSE = encodeFrame(new Uint8Array(0));

export interface ConnectionEvents {
  /** The body of a frame, never empty. */
  received(body: Uint8Array): void;
  /** Exactly once, the last event. */
  closed(closure: Closure): void;
}

export interface Closure {
  /** "fault": the other side sent what nobody of ours sends. "ended": anything else, by either side. */
  readonly type: "ended" | "fault";
  /** For operators. */
  readonly detail: string;
}

export interface ConnectionLimits {
  /** A larger frame of the other side ends the connection. */
  readonly maxFrameBytes: number;
  /** With so much waiting to be sent, further frames are dropped. */
  readonly maxQueuedBytes: number;
  /** BEAT_MS; less in tests. */
  readonly beatMs: number;
}

export class Connection {
  /** Frames that were not sent because too much was waiting. */
  droppedFrames = 0;
  private readonly socket: net.Socket;
  private readonly limits: ConnectionLimits;
  private readonly events: ConnectionEvents;
  private readonly beat: NodeJS.Timeout;
  private reader: FrameReader;
  private isCorked = false;
  private isClosed = false;
  /** Content came in and nothing went out since. */
  private owesAnswer = false;
  /** Content went out and nothing came in since. */
  private awaitsAnswer = false;
  private silentBeats = 0;

  constructor(socket: net.Socket, limits: ConnectionLimits, events: ConnectionEvents) {
    this.socket = socket;
    this.limits = limits;
    this.events = events;
    this.reader = new FrameReader(limits.maxFrameBytes);
    this.beat = setInterval(() => this.onBeat(), limits.beatMs);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("data", (chunk) => this.onData(chunk));
    // 'close' follows both.
    socket.on("end", () => this.close("the other side closed the connection"));
    socket.on("error", (error) => this.close(error.message));
    socket.on("close", () => this.close("the connection ended"));
  }

  /** From now on frames up to `maxFrameBytes` are accepted. False: the other side is already in the middle of one. */
  widen(maxFrameBytes: number): boolean {
    if (!this.reader.isBetweenFrames) return false;
    this.reader = new FrameReader(maxFrameBytes);
    return true;
  }

  send(body: Uint8Array): void {
    if (this.isClosed) return;
    if (this.socket.writableLength >= this.limits.maxQueuedBytes) {
      this.droppedFrames++;
      return;
    }
    this.owesAnswer = false;
    this.awaitsAnswer = true;
    this.cork();
    if (body.length + FRAME_HEADER_SIZE <= JOIN_BYTES) {
      this.socket.write(encodeFrame(body));
    } else {
      this.socket.write(frameHeader(body));
      this.socket.write(body);
    }
  }

  /** Sends what waits, then closes. */
  end(why: string): void {
    if (this.isClosed) return;
    this.uncork();
    this.socket.end();
    this.finish(why);
    // Whoever does not take the rest in a beat does not get it.
    setTimeout(() => this.socket.destroy(), this.limits.beatMs).unref();
  }

  close(why: string): void {
    if (this.isClosed) return;
    this.socket.destroy();
    this.finish(why);
  }

  private finish(detail: string, type: Closure["type"] = "ended"): void {
    this.isClosed = true;
    clearInterval(this.beat);
    this.events.closed({ type, detail });
  }

  private onData(chunk: Uint8Array): void {
    if (this.isClosed) return;
    this.awaitsAnswer = false;
    this.silentBeats = 0;
    for (const body of this.reader.push(chunk)) {
      if (this.isClosed) return;
      if (body.length === 0) continue;
      this.owesAnswer = true;
      this.events.received(body);
    }
    const fault = this.reader.fault;
    if (fault === null) return;
    this.socket.destroy();
    this.finish(`bad bytes at offset ${fault.offset} of the stream: ${fault.detail}`, "fault");
  }

  private onBeat(): void {
    if (this.owesAnswer) {
      this.owesAnswer = false;
      this.socket.write(PULSE);
    }
    this.silentBeats = this.awaitsAnswer ? this.silentBeats + 1 : 0;
    if (this.silentBeats < SILENT_BEATS) return;
    this.close(`nothing was heard for ${(SILENT_BEATS * this.limits.beatMs) / 1000} s`);
  }

  private cork(): void {
    if (this.isCorked) return;
    this.isCorked = true;
    this.socket.cork();
    process.nextTick(() => this.uncork());
  }

  private uncork(): void {
    if (!this.isCorked) return;
    this.isCorked = false;
    this.socket.uncork();
  }
}
