/** The core Client, told in stories of what nodes say to it. */
import { ClientStory } from "./client-story.ts";
import { tellStories } from "./story.ts";

tellStories("client", () => new ClientStory());
