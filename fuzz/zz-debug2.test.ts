import { test } from "vitest";
import { Soup } from "./raft-soup.ts";
test("debug", () => {
  let two = 0, committed = 0, terms = 0, steps = 0, stale = 0, cuts = 0, ticks=0, trueTime = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const soup = new Soup(3, seed) as any;
    const cut = soup.cut.bind(soup); soup.cut = () => { cuts++; cut(); };
    const tick = soup.tick.bind(soup); soup.tick = (f: any) => { ticks++; tick(f); };
    const read = soup.world.read.bind(soup.world);
    soup.world.read = (h: any) => { const ls = [...soup.world.hosts.values()].filter((x: any) => x.raft?.inspect().role === "leader"); const max = Math.max(...ls.map((x: any) => x.raft.inspect().currentTerm)); if (h.raft?.inspect().role === "leader" && h.raft.inspect().currentTerm < max) stale++; return read(h); };
    for (let s = 0; s < 4000; s++) {
      soup.stir(true); steps++;
      const ls = [...soup.world.hosts.values()].filter((x: any) => x.raft?.inspect().role === "leader");
      if (ls.length > 1) { two++; }
    }
    terms += Math.max(...[...soup.world.reference.leaders.keys()]);
    committed += soup.world.reference.committed.length;
    trueTime += soup.trueNow - 1e9;
  }
  console.log({ two, committed, terms, steps, stale, cuts, ticks, trueTime: trueTime / 1e6 });
});
