/** Who is signed in, and what that person may do. */
import { computed, ref } from 'vue'
import { ApiError, api } from '@/api/client'
import type { Session, User } from '@/api/types'
import { startFeed, stopFeed } from '@/live/feed'

const user = ref<User | null>(null)
let asked: Promise<User | null> | null = null

async function load(): Promise<User | null> {
  try {
    const session = await api.get<Session>('/session')
    user.value = session.user
    startFeed()
  } catch (cause) {
    if (!(cause instanceof ApiError) || cause.status !== 401) {
      asked = null
      throw cause
    }
  }
  return user.value
}

/** Return the signed-in user, asking the centre once, or `again`. */
export function currentUser(again = false): Promise<User | null> {
  if (again) asked = null
  asked ??= load()
  return asked
}

/** Ask again what the person may do: after something of his own account has changed. */
export async function refresh(): Promise<void> {
  user.value = (await api.get<Session>('/session')).user
}

export async function signIn(username: string, password: string, code?: string): Promise<void> {
  const session = await api.post<Session>('/session', { username, password, ...(code ? { code } : {}) })
  user.value = session.user
  asked = Promise.resolve(session.user)
  startFeed()
}

/** Forget the session on this page; the centre has already forgotten it. */
export function forget(): void {
  user.value = null
  asked = Promise.resolve(null)
  stopFeed()
}

export async function signOut(): Promise<void> {
  await api.remove('/session')
  forget()
}

export function useSession() {
  /** Say whether a permission, such as `registry.edit`, is among the person's. */
  const can = (permission: string) => user.value?.permissions.some((held) => held === permission) ?? false
  return { user, can, operator: computed(() => can('alarm.acknowledge')), admin: computed(() => can('gateway.manage')) }
}
