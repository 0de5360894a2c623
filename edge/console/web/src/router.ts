import { createRouter, createWebHashHistory } from 'vue-router'
import { whenUnauthorised } from '@/api/client'
import { forget, signedIn } from '@/session'
import Shell from '@/shell/Shell.vue'

/** Addresses after `#`: the gateway serves one page and files, nothing else. */
export const router = createRouter({
  history: createWebHashHistory(),
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
  routes: [
    { path: '/sign-in', name: 'sign-in', component: () => import('@/rooms/sign-in/SignIn.vue'), meta: { open: true } },
    {
      path: '/',
      component: Shell,
      children: [
        { path: '', name: 'overview', component: () => import('@/rooms/overview/Overview.vue') },
        { path: 'devices', name: 'devices', component: () => import('@/rooms/devices/DeviceList.vue') },
        { path: 'devices/:device', name: 'device', props: true, component: () => import('@/rooms/devices/DevicePage.vue') },
        { path: 'alarms', name: 'alarms', component: () => import('@/rooms/alarms/AlarmList.vue') },
        { path: 'config', name: 'config', component: () => import('@/rooms/config/Versions.vue') },
        { path: 'config/edit', name: 'edit', component: () => import('@/rooms/config/EditPage.vue') },
        { path: 'config/:number(\\d+)', name: 'version', props: true, component: () => import('@/rooms/config/VersionPage.vue') },
        { path: 'tools', name: 'tools', component: () => import('@/rooms/tools/Tools.vue') },
        { path: 'tools/scan', name: 'scan', component: () => import('@/rooms/tools/Scan.vue') },
        { path: 'tools/decode', name: 'decode', component: () => import('@/rooms/tools/Decode.vue') },
        { path: 'tools/logs', name: 'logs', component: () => import('@/rooms/tools/Logs.vue') },
        { path: 'tools/queue', name: 'queue', component: () => import('@/rooms/tools/Queue.vue') },
        { path: ':rest(.*)*', name: 'missing', component: () => import('@/shell/Missing.vue') },
      ],
    },
  ],
})

function toSignIn(next: string) {
  return { name: 'sign-in', query: next === '/' ? {} : { next } }
}

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  try {
    return (await signedIn()) || toSignIn(to.fullPath)
  } catch {
    return true // the gateway is away: the page says so and tries again
  }
})

whenUnauthorised(() => {
  forget()
  const here = router.currentRoute.value
  if (here.name !== 'sign-in') void router.push(toSignIn(here.fullPath))
})
