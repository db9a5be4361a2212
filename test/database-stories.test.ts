/** Database over real SQLite, told in stories. */
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { loadSqlJs } from "../cli/sqljs.ts";
import { DatabaseStory } from "./database-story.ts";
import { tellStories } from "./story.ts";

const factory = sqliteEngineFactory(loadSqlJs());
const limits = { maxQueuedWrites: 2, maxSessionRequests: 16, maxSessions: 3, maxResultBytes: 1024 * 1024 };
tellStories("database", () => new DatabaseStory(factory, limits));
