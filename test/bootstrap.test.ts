/** Plays test/testdata/bootstrap/*.txt. `REWRITE=1 npx vitest run test/bootstrap.test.ts` writes their answers anew. */
import { BootstrapTeller } from "./bootstrap-story.ts";
import { tellStories } from "./story.ts";

tellStories("bootstrap", () => new BootstrapTeller());
