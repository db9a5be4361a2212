/** Kinds of packets as a reader tells them apart: by the first word of what they say. */

export const PACKET_KINDS = [
  "append", "appendReply", "heartbeat", "vote", "snapshot", "read", "other", "request", "answer",
] as const;
export type PacketKind = (typeof PACKET_KINDS)[number];

/** What filters and legends call them. */
export const KIND_NAMES: Readonly<Record<PacketKind, string>> = {
  append: "entries", appendReply: "replies", heartbeat: "heartbeats", vote: "votes", snapshot: "snapshots",
  read: "reads", other: "founding, digests", request: "requests", answer: "answers",
};

const KINDS: Readonly<Record<string, PacketKind>> = {
  AppendEntries: "append", AppendEntriesReply: "appendReply", Heartbeat: "heartbeat",
  RequestVote: "vote", RequestVoteReply: "vote", RequestPreVote: "vote", RequestPreVoteReply: "vote",
  TimeoutNow: "vote",
  InstallSnapshot: "snapshot", InstallSnapshotReply: "snapshot", ReadIndex: "read", ReadIndexReply: "read",
  Locate: "request", OpenSession: "request", Request: "request", FetchPart: "request", CloseSession: "request",
  Query: "request", FetchRows: "request",
  Located: "answer", SessionOpened: "answer", SessionRefused: "answer", Answer: "answer", SessionUnknown: "answer",
  QueryAnswer: "answer", QueryUnknown: "answer",
};

export function kindOf(text: string): PacketKind {
  const space = text.indexOf(" ");
  return KINDS[space < 0 ? text : text.slice(0, space)] ?? "other";
}

/** So short that it fits beside an arrow. */
export function shortText(text: string): string {
  const [word = "", ...rest] = text.split(" ");
  const field = (name: string): string => {
    return rest.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  };
  switch (word) {
    case "AppendEntries":
      return `+${field("entries")}`;
    case "AppendEntriesReply":
      return field("match") === "" ? `✗ ${field("rejected")}` : `✓ ${field("match")}`;
    case "RequestVote":
      return `vote? t${field("term")}`;
    case "RequestPreVote":
      return `pre-vote? t${field("term")}`;
    case "RequestVoteReply":
    case "RequestPreVoteReply":
      return field("granted") === "true" ? "yes" : "no";
    case "InstallSnapshot":
      return `snapshot ${field("of")}`;
    case "Heartbeat":
      return "♥";
    case "Request":
      return rest[0] ?? "request";
    default:
      return word;
  }
}

/** "oneWayCut": one way cut. */
export function inWords(kind: string): string {
  return kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
