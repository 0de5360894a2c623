/** The pages of the settings, in their order; a person sees those that his permissions let him use. */
import type { Component } from 'vue'

export interface Tab {
  path: string
  /** Name of the route. */
  name: string
  /** Key of its title. */
  title: string
  /** The permission without which there is nothing to see. */
  needs?: string
  page: () => Promise<{ default: Component }>
}

export const TABS: readonly [Tab, ...Tab[]] = [
  { path: 'me', name: 'settings-me', title: 'settings.tab.me', page: () => import('./Me.vue') },
  { path: 'accounts', name: 'settings-accounts', title: 'settings.tab.accounts', needs: 'user.manage', page: () => import('./Accounts.vue') },
  { path: 'roles', name: 'settings-roles', title: 'settings.tab.roles', needs: 'user.manage', page: () => import('./Roles.vue') },
  { path: 'tokens', name: 'settings-tokens', title: 'settings.tab.tokens', needs: 'user.manage', page: () => import('./Tokens.vue') },
  { path: 'sessions', name: 'settings-sessions', title: 'settings.tab.sessions', needs: 'user.manage', page: () => import('./Sessions.vue') },
  { path: 'wall', name: 'settings-wall', title: 'settings.tab.wall', needs: 'wall.edit', page: () => import('./Walls.vue') },
  { path: 'audit', name: 'settings-audit', title: 'settings.tab.audit', needs: 'audit.read', page: () => import('./Audit.vue') },
]
