import { ClientStory } from "./client-story.ts";
import { tellStories } from "./story.ts";

tellStories("client", () => new ClientStory());
