/** Whoever asks for the same thing at the same moment shares one request. */
export function shared<T>(load: () => Promise<T>): () => Promise<T> {
  let asking: Promise<T> | null = null
  return () => (asking ??= load().finally(() => (asking = null)))
}
