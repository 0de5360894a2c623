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
  { path: 'channels', name: 'settings-channels', title: 'notices.channels', needs: 'notice.manage', page: () => import('./notices/Channels.vue') },
  { path: 'rules', name: 'settings-rules', title: 'notices.rules', needs: 'notice.manage', page: () => import('./notices/Rules.vue') },
  { path: 'templates', name: 'settings-templates', title: 'notices.templates', needs: 'notice.manage', page: () => import('./notices/Templates.vue') },
  { path: 'log', name: 'settings-log', title: 'notices.log', needs: 'notice.manage', page: () => import('./notices/Deliveries.vue') },
  { path: 'webhooks', name: 'settings-webhooks', title: 'notices.webhooks', needs: 'webhook.manage', page: () => import('./notices/Webhooks.vue') },
  { path: 'wall', name: 'settings-wall', title: 'settings.tab.wall', needs: 'wall.edit', page: () => import('./Walls.vue') },
  { path: 'retention', name: 'settings-retention', title: 'keeping.tab', needs: 'centre.operate', page: () => import('./Retention.vue') },
  { path: 'audit', name: 'settings-audit', title: 'settings.tab.audit', needs: 'audit.read', page: () => import('./Audit.vue') },
]
