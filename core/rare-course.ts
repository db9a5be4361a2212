/**
 * Rare courses: places in the product where another course is as right as the ordinary one, but comes about so seldom
 * that nothing would ever test what follows from it. Whoever runs the product may have them taken more often (compare
 * FoundationDB's BUGGIFY). The simulator does, by chance; in production nothing ever asks for one.
 *
 * What a rare course must not be: a fault. Whatever the answer is, every promise holds, so that it needs no excuse in
 * any oracle. It is decided outside, as chance is none of core/'s affairs.
 *
 * @example
 *     const asked: string[] = [];
 *     const everyTime: Rarely = (course) => asked.push(course) > 0;
 *     console.log(NEVER("standsEarly"), everyTime("standsEarly"), asked);   // false true [ 'standsEarly' ]
 */
export const RARE_COURSES = [
  // Raft. Who waits for a leader waits as short as it ever may; a voter does not welcome a pre-candidate; a leader
  // resigns though it is heard.
  "standsEarly", "refusesPreVote", "resigns",
  // A follower is sent the snapshot though the log has what it lacks; it is asked anew where its log ends.
  "sendsSnapshot", "probesAnew",
  // A snapshot is taken though little has changed, and nothing of the log behind it is kept for stragglers.
  "takesSnapshot", "keepsNoTail",
  // Storage. A group begins the next segment though this one has room; what waits is not committed together.
  "rollsEarly", "commitsAlone",
  // The leader refuses a request as if it were busy; the client repeats one at once, or looks for the leader anew.
  "refusesBusy", "repeatsAtOnce", "searchesAnew",
] as const;
export type RareCourse = (typeof RARE_COURSES)[number];

/** Whether the rare course is taken this time. */
export type Rarely = (course: RareCourse) => boolean;

export const NEVER: Rarely = () => false;
