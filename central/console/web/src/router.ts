import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import { whenUnauthorised } from '@/api/client'
import { forgetDirectory } from '@/directory'
import { currentUser, forget } from '@/session'
import { TABS } from '@/rooms/settings/tabs'
import Shell from '@/shell/Shell.vue'

export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/sign-in', name: 'sign-in', component: () => import('@/rooms/sign-in/SignIn.vue'), meta: { open: true } },
    { path: '/wall', name: 'wall', component: () => import('@/rooms/wall/WallPage.vue'), meta: { open: true } },
    {
      path: '/',
      component: Shell,
      children: [
        { path: '', name: 'overview', component: () => import('@/rooms/monitoring/Overview.vue') },
        { path: 'map', name: 'map', component: () => import('@/rooms/monitoring/MapPage.vue') },
        { path: 'devices', name: 'devices', component: () => import('@/rooms/monitoring/DeviceList.vue') },
        { path: 'devices/:id', name: 'device', props: true, component: () => import('@/rooms/monitoring/DevicePage.vue') },
        { path: 'trends', name: 'trends', component: () => import('@/rooms/monitoring/trends/TrendsPage.vue') },
        { path: 'replay', name: 'replay', component: () => import('@/rooms/monitoring/replay/ReplayPage.vue') },
        { path: 'alarms', name: 'alarms', component: () => import('@/rooms/monitoring/AlarmList.vue') },
        { path: 'alarms/health', name: 'alarm-health', component: () => import('@/rooms/monitoring/AlarmHealth.vue') },
        { path: 'alarms/:id', name: 'alarm', props: true, component: () => import('@/rooms/monitoring/AlarmPage.vue') },
        { path: 'gateways', name: 'gateways', component: () => import('@/rooms/monitoring/Gateways.vue') },
        { path: 'gateways/:id', name: 'gateway', props: true, component: () => import('@/rooms/monitoring/GatewayPage.vue') },
        { path: 'cameras', name: 'cameras', component: () => import('@/rooms/monitoring/cameras/CameraWall.vue') },
        { path: 'cameras/:id', name: 'camera', props: true, component: () => import('@/rooms/monitoring/cameras/CameraPage.vue') },
        { path: 'cases', name: 'cases', component: () => import('@/rooms/dispatch/CaseList.vue') },
        { path: 'cases/:id', name: 'case', props: true, component: () => import('@/rooms/dispatch/CasePage.vue') },
        { path: 'events', name: 'events', component: () => import('@/rooms/dispatch/EventList.vue') },
        {
          path: 'settings',
          name: 'settings',
          component: () => import('@/rooms/settings/Settings.vue'),
          redirect: { name: TABS[0].name },
          children: TABS.map(({ path, name, page }) => ({ path, name, component: page })),
        },
        { path: 'registry', name: 'registry', component: () => import('@/rooms/registry/RegistryList.vue') },
        { path: 'registry/:kind(sites|gateways|devices|points)/:id', name: 'thing', props: true, component: () => import('@/rooms/registry/ThingPage.vue') },
        { path: ':rest(.*)*', name: 'missing', component: () => import('@/shell/Missing.vue') },
      ],
    },
  ],
})

/** Fetch the page's code while the session is asked for: one way there and back less. */
function ahead(to: RouteLocationNormalized): void {
  const page = to.matched.at(-1)?.components?.default
  if (typeof page === 'function') void (page as () => Promise<unknown>)().catch(() => undefined) // the router says it
}

function toSignIn(next: string) {
  return { name: 'sign-in', query: next === '/' ? {} : { next } }
}

router.beforeEach(async (to) => {
  ahead(to)
  if (to.meta.open) return true
  try {
    const user = await currentUser()
    if (user?.must_enrol && to.name !== 'settings-me') return { name: 'settings-me' }
    return user ? true : toSignIn(to.fullPath)
  } catch {
    return true // the centre is away: the page says so and tries again
  }
})

whenUnauthorised(() => {
  forget()
  forgetDirectory()
  const here = router.currentRoute.value
  if (!here.meta.open) void router.push(toSignIn(here.fullPath))
})
