/** Keeps this folder a project of the compiler until its first file is here. */
export {};
