/** Plays the scenarios of test/testdata/raft, one node's Raft against others. */
import { Interaction } from "./interaction.ts";
import { tellStories } from "./story.ts";

tellStories("raft", () => new Interaction());
