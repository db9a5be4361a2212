/**
 * What happens to a bug of ours: it is written out with what led to it, and thrown where no promise of the application
 * can swallow it, so that the process ends unless somebody decides otherwise. Whoever calls this steps nothing again.
 */
export function crash(error: unknown, context: string): void {
  console.error(`quorumlite: a bug, please report it.\n${context}`);
  setImmediate(() => {
    throw error;
  });
}
