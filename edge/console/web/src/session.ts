/** Who this gateway is, and whether this browser is signed in to it. */
import { readonly, ref } from 'vue'
import { api } from '@/api/client'
import type { Session } from '@/api/types'
import { startFeed, stopFeed } from '@/live/feed'

const session = ref<Session | null>(null)
export const gateway = readonly(session)

/** Ask the gateway; throws ApiError where it does not answer. */
export async function askSession(): Promise<Session> {
  const answer = await api.get<Session>('/session')
  session.value = answer
  if (answer.signed_in) startFeed()
  return answer
}

/** Whether the browser is signed in, asked once; a gateway that is away counts as "ask again later". */
export async function signedIn(): Promise<boolean> {
  return (session.value ?? (await askSession())).signed_in
}

export async function signIn(password: string): Promise<void> {
  await api.post('/session', { password })
  await askSession()
}

/** Forget the session on this page; the gateway has already forgotten it. */
export function forget(): void {
  if (session.value) session.value = { ...session.value, signed_in: false }
  stopFeed()
}

export async function signOut(): Promise<void> {
  await api.remove('/session')
  forget()
}
