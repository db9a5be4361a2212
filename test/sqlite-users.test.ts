/**
 * What typical users write, run on a leader and compared with an unmodified sql.js: the same rows, and the same on a
 * follower. Each case is a script and queries.
 */
import { expect, test } from "vitest";
import { done, expectSameBytes, makeEngine, openUnmodified, replicate, rows } from "./sqlite-fixture.ts";

const CASES: readonly { readonly name: string; readonly script: string; readonly queries: readonly string[] }[] = [
  {
    name: "tables, indexes, views and ALTER",
    script: `CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE,
        age INT DEFAULT 18 CHECK (age >= 0));
      CREATE UNIQUE INDEX users_name ON users (name); CREATE INDEX adults ON users (age) WHERE age >= 18;
      CREATE VIEW names AS SELECT upper(name) AS name FROM users;
      INSERT INTO users (name, age) VALUES ('ada', 36), ('Bob', 17), ('eve', 99);
      DELETE FROM users WHERE name = 'EVE';
      INSERT INTO users (name) VALUES ('zoë'); ALTER TABLE users ADD COLUMN mail TEXT;
      ALTER TABLE users RENAME COLUMN age TO years;
      ALTER TABLE users RENAME TO people; UPDATE people SET mail = name || '@example.org' WHERE years > 17`,
    queries: [
      "SELECT * FROM people ORDER BY id",
      "SELECT * FROM names",
      "SELECT * FROM sqlite_sequence",
      "SELECT name FROM pragma_table_info('people')",
    ],
  },
  {
    name: "triggers, also on views",
    script: `CREATE TABLE a (x); CREATE TABLE log (at INTEGER PRIMARY KEY, what); CREATE VIEW v AS SELECT x FROM a;
      CREATE TRIGGER i AFTER INSERT ON a BEGIN INSERT INTO log (what) VALUES ('+' || new.x); END;
      CREATE TRIGGER u AFTER UPDATE OF x ON a WHEN old.x <> new.x
        BEGIN INSERT INTO log (what) VALUES (old.x || '>' || new.x); END;
      CREATE TRIGGER d INSTEAD OF DELETE ON v BEGIN DELETE FROM a WHERE x = old.x;
        INSERT INTO log (what) VALUES ('-' || old.x); END;
      INSERT INTO a VALUES (1), (2), (3); UPDATE a SET x = x * 10 WHERE x > 1; DELETE FROM v WHERE x = 20`,
    queries: ["SELECT * FROM a", "SELECT what FROM log ORDER BY at"],
  },
  {
    name: "foreign keys with actions",
    script: `CREATE TABLE p (id INTEGER PRIMARY KEY);
      CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, n);
      CREATE TABLE s (p INTEGER DEFAULT 1 REFERENCES p ON DELETE SET NULL);
      INSERT INTO p VALUES (1), (2), (3); INSERT INTO c VALUES (1, 'a'), (2, 'b'); INSERT INTO s VALUES (2), (3);
      DELETE FROM p WHERE id = 2; UPDATE p SET id = 10 WHERE id = 1`,
    queries: ["SELECT * FROM c", "SELECT * FROM s ORDER BY 1", "PRAGMA foreign_key_check"],
  },
  {
    name: "common table expressions and window functions",
    script: `CREATE TABLE edge (a, b); INSERT INTO edge VALUES (1, 2), (2, 3), (3, 4), (2, 5);
      CREATE TABLE sale (region, amount);
      INSERT INTO sale VALUES ('n', 5), ('n', 7), ('s', 3), ('s', 11), ('s', 1)`,
    queries: [
      `WITH RECURSIVE reach(n, depth) AS (SELECT 1, 0 UNION SELECT b, depth + 1 FROM edge JOIN reach ON a = n)
        SELECT * FROM reach ORDER BY n`,
      `SELECT region, amount, rank() OVER w, sum(amount) OVER (w ROWS UNBOUNDED PRECEDING) FROM sale
        WINDOW w AS (PARTITION BY region ORDER BY amount)`,
      `WITH big AS MATERIALIZED (SELECT * FROM sale WHERE amount > 4)
        SELECT region, count(*) FILTER (WHERE amount > 6) FROM big GROUP BY 1`,
    ],
  },
  {
    name: "JSON",
    script: `CREATE TABLE doc (j TEXT CHECK (json_valid(j)));
      INSERT INTO doc VALUES ('{"a":[1,2,{"b":"x"}]}'), (json_object('a', json_array(7)));
      UPDATE doc SET j = json_set(j, '$.n', 5) WHERE j ->> '$.a[0]' = 7`,
    queries: [
      "SELECT j -> '$.a[2].b', json_array_length(j, '$.a') FROM doc",
      "SELECT value FROM doc, json_each(j, '$.a')",
      "SELECT json_group_array(j ->> 'n') FROM doc",
    ],
  },
  {
    name: "STRICT, WITHOUT ROWID and generated columns",
    script: `CREATE TABLE s (k TEXT PRIMARY KEY, n INTEGER, b BLOB, a ANY) STRICT, WITHOUT ROWID;
      CREATE TABLE g (w REAL, h REAL, area REAL AS (w * h) STORED, text AS (w || 'x' || h));
      CREATE INDEX ga ON g (area);
      INSERT INTO s VALUES ('z', 1, x'00ff', 'any'), ('a', 2, NULL, 1.5);
      INSERT INTO g (w, h) VALUES (2, 3), (1.5, 2)`,
    queries: ["SELECT k, n, hex(b), typeof(a) FROM s", "SELECT * FROM g WHERE area > 2 ORDER BY area"],
  },
  {
    name: "RETURNING and upsert",
    script: `CREATE TABLE kv (k PRIMARY KEY, v, n DEFAULT 1);
      INSERT INTO kv (k, v) VALUES ('a', 1), ('b', 2) RETURNING *;
      INSERT INTO kv (k, v) VALUES ('a', 9) ON CONFLICT (k)
        DO UPDATE SET v = excluded.v, n = n + 1 WHERE excluded.v > kv.v;
      INSERT INTO kv (k, v) VALUES ('b', 0) ON CONFLICT DO NOTHING; REPLACE INTO kv (k, v) VALUES ('b', 3);
      UPDATE kv SET v = o.v FROM (SELECT 'b' AS k, 44 AS v) AS o WHERE o.k = kv.k`,
    queries: ["SELECT * FROM kv ORDER BY k"],
  },
  {
    name: "full-text search",
    script: `CREATE VIRTUAL TABLE mail USING fts4(subject, body, tokenize=porter);
      INSERT INTO mail VALUES ('running water', 'the river runs'), ('still', 'no movement'), ('ran', 'it ran away');
      DELETE FROM mail WHERE subject = 'still'; INSERT INTO mail (mail) VALUES ('optimize')`,
    queries: [
      "SELECT rowid, snippet(mail, '[', ']') FROM mail WHERE mail MATCH 'run*' ORDER BY 1",
      "SELECT count(*) FROM mail WHERE body MATCH 'away OR river'",
    ],
  },
  {
    name: "dates, numbers and text",
    script: `CREATE TABLE t (d TEXT, x REAL, s TEXT);
      INSERT INTO t VALUES ('2024-02-29', 2.5, 'Straße'), ('1999-12-31', -1e300, '日本')`,
    queries: [
      "SELECT date(d, '+1 year'), strftime('%j %W', d), unixepoch(d) FROM t",
      "SELECT round(x), x / 0, max(x, 0) FROM t",
      "SELECT length(s), substr(s, 1, 2), hex(s), instr(s, '本'), s LIKE 'STRA%', s GLOB '*本' FROM t",
      "SELECT printf('%05.1f|%-6s|%x', 3.14159, 'ab', 255)",
    ],
  },
  {
    name: "a migration that rebuilds a table",
    script: `CREATE TABLE p (id INTEGER PRIMARY KEY, n); CREATE TABLE c (p REFERENCES p);
      INSERT INTO p VALUES (1, '5'); INSERT INTO c VALUES (1);
      PRAGMA defer_foreign_keys = ON; PRAGMA foreign_keys = OFF; BEGIN;
      CREATE TABLE new_p (id INTEGER PRIMARY KEY, n INTEGER NOT NULL);
      INSERT INTO new_p SELECT id, n FROM p; DROP TABLE p; ALTER TABLE new_p RENAME TO p; COMMIT;
      PRAGMA foreign_keys = ON; ANALYZE; REINDEX`,
    queries: [
      "SELECT sql FROM sqlite_schema WHERE name IN ('p', 'c') ORDER BY name",
      "SELECT *, typeof(n) FROM p",
      "PRAGMA foreign_key_check",
    ],
  },
];

test.each(CASES)("$name", async ({ script, queries }) => {
  const [leader, follower] = [makeEngine(1), makeEngine(2)];
  done(leader.script(script));
  replicate(leader, follower);
  expectSameBytes(leader.image(), follower.image());
  const empty = makeEngine(3).image();
  const query = await openUnmodified(empty);
  query("PRAGMA foreign_keys = ON");
  query(script);
  for (const sql of [...queries, "PRAGMA integrity_check"]) {
    const expected = query(sql);
    expect([sql, rows(leader, "writer", sql)]).toEqual([sql, expected]);
    expect([sql, rows(follower, "reader", sql)]).toEqual([sql, expected]);
  }
});
