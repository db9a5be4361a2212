/**
 * As much of SQL's text as has to be known before SQLite sees it: what kind of statement it is, and where its words end
 * (SQLite's tokenize.c). It is no parser: what it does not know is "other", and SQLite has the last word.
 */

export type StatementKind =
  /** Only reads: SELECT, VALUES, EXPLAIN. */
  | "query"
  | "insert"
  | "change"
  /** BEGIN, COMMIT, SAVEPOINT and their kin. */
  | "control"
  /** What would touch another database than the replicated one. */
  | "attach"
  | "temporary"
  | "other";

const KINDS: Readonly<Record<string, StatementKind>> = {
  SELECT: "query", VALUES: "query", EXPLAIN: "query",
  INSERT: "insert", REPLACE: "insert", UPDATE: "change", DELETE: "change",
  BEGIN: "control", COMMIT: "control", END: "control", ROLLBACK: "control", SAVEPOINT: "control", RELEASE: "control",
  ATTACH: "attach", DETACH: "attach",
};

export interface Token {
  /** Words are in upper case; what is quoted stays as it is, with its quotes. */
  readonly text: string;
  /** Where the text behind it begins. */
  readonly end: number;
}

/** The kind of the first statement of `sql` at or behind `at`. */
export function statementKind(sql: string, at = 0): StatementKind {
  let token = nextToken(sql, at);
  while (token?.text === ";") token = nextToken(sql, token.end);
  if (token === null) return "other";
  if (token.text === "WITH") return kindBehindWith(sql, token.end);
  if (token.text === "CREATE") return createsTemporary(sql, token.end) ? "temporary" : "other";
  if (token.text === "VACUUM") return contains(sql, token.end, "INTO") ? "attach" : "other";
  return KINDS[token.text] ?? "other";
}

/** The next token at or behind `at`; null: only white space and comments are left. */
export function nextToken(sql: string, at: number): Token | null {
  const from = skipSpace(sql, at);
  if (from >= sql.length) return null;
  const first = sql[from]!;
  if (isWord(first)) {
    let end = from + 1;
    while (end < sql.length && isWord(sql[end]!)) end++;
    return { text: sql.slice(from, end).toUpperCase(), end };
  }
  const closing = first === "[" ? "]" : first === "'" || first === '"' || first === "`" ? first : null;
  if (closing === null) return { text: first, end: from + 1 };
  let end = from + 1;
  while (end < sql.length) {
    if (sql[end] !== closing) end += 1;
    else if (closing !== "]" && sql[end + 1] === closing) end += 2;
    else break;
  }
  return { text: sql.slice(from, end + 1), end: end + 1 };
}

function skipSpace(sql: string, at: number): number {
  for (;;) {
    while (at < sql.length && " \t\n\f\r\ufeff".includes(sql[at]!)) at++;
    const closing = sql.startsWith("--", at) ? "\n" : sql.startsWith("/*", at) ? "*/" : null;
    if (closing === null) return at;
    const end = sql.indexOf(closing, at + 2);
    if (end === -1) return sql.length;
    at = end + closing.length;
  }
}

function isWord(character: string): boolean {
  return /[A-Za-z0-9_$]/.test(character) || character > "\x7f";
}

/** WITH [RECURSIVE] name [(columns)] AS [NOT] [MATERIALIZED] (query) [, …] verb. Names may look like verbs. */
function kindBehindWith(sql: string, at: number): StatementKind {
  let depth = 0;
  let nameExpected = true;
  for (let token = nextToken(sql, at); token !== null; token = nextToken(sql, token.end)) {
    if (token.text === "(") depth += 1;
    else if (token.text === ")") depth -= 1;
    else if (depth > 0 || token.text === "RECURSIVE") continue;
    else if (token.text === ",") nameExpected = true;
    else if (nameExpected) nameExpected = false;
    else if (KINDS[token.text] !== undefined) return KINDS[token.text]!;
  }
  return "other";
}

/** CREATE TEMP …, CREATE … TABLE temp.name. */
function createsTemporary(sql: string, at: number): boolean {
  const words: string[] = [];
  for (let token = nextToken(sql, at); token !== null && words.length < 8; token = nextToken(sql, token.end)) {
    if (token.text === "(" || token.text === "AS") break;
    if (token.text === "." && words.length > 0) return isTemp(words.at(-1)!.replace(/^["'`[]|["'`\]]$/g, ""));
    words.push(token.text);
  }
  return words[0] !== undefined && isTemp(words[0]);
}

function isTemp(word: string): boolean {
  const name = word.toUpperCase();
  return name === "TEMP" || name === "TEMPORARY";
}

function contains(sql: string, at: number, word: string): boolean {
  for (let token = nextToken(sql, at); token !== null && token.text !== ";"; token = nextToken(sql, token.end)) {
    if (token.text === word) return true;
  }
  return false;
}
