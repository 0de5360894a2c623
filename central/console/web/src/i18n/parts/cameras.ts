/** Words of the cameras' room. */
import { words } from '../words'

export default words(
  {
    title: '视频', counts: '{live} 路在线 · {dead} 路离线', empty: '没有摄像机', emptyHint: '网关配置中声明的摄像机会出现在这里。',
    state: { live: '在线', fault: '有应答、无画面', offline: '离线', unknown: '未接入' },
    fresh: { new: '新画面', old: '画面较旧', stale: '画面过旧', none: '没有画面' },
    takenAt: '抓拍于 {time}', none: '还没有画面', noneHint: '网关未开启抓拍，或画面已超过保留期。', lost: '最后画面', all: '全部', only: { live: '在线', dead: '离线' }, filter: '显示',
    take: '立即抓拍', taking: '抓拍中', taken: '新画面已到', notTaken: '没有抓到：{why}', noTaking: '该网关不抓拍：配置中没有 pictures，或软件较旧。', waiting: '网关取走后几秒内到达', overdue: '网关没有及时应答；请看网关页面。',
    why: { 'no-picture': '摄像机没有给出画面', expired: '超时未取', 'no-room': '网关存储不足', 'no-camera': '网关不认识该摄像机', interrupted: '网关重启', storage: '网关磁盘错误' },
    near: '附近摄像机', nearNone: '附近没有其他摄像机。', last: '最近画面', device: '设备详情', zone: '时区', taken_at: '抓拍时间', received: '到达中心', cause: '缘由', size: '大小', digest: '摘要 SHA-256', place: '位置', original: '打开原图',
    causes: { alarm: '报警取证', order: '人工抓拍', wall: '定时' }, moment: { before: '报警前', at: '报警时' },
    evidence: '现场画面', evidenceNone: '这次报警没有现场画面。', evidenceHint: '由附近摄像机在报警时抓拍', picture: '{name}，{time}', away: '相距 {way}',
    neighbour: '其他网关的摄像机', neighbourHint: '报警所属网关没有抓拍，由中心向最近的摄像机要了一张。', asking: '已向它要画面，几秒内到达', lostOnWay: '已拍下，但画面没有到达', when: '{offset} · {ago}', later: '报警后 {span}', earlier: '报警前 {span}',
  },
  {
    title: 'Cameras', counts: '{live} live · {dead} dead', empty: 'No cameras', emptyHint: 'Cameras that a gateway’s file declares appear here.',
    state: { live: 'Live', fault: 'Answers, no picture', offline: 'Offline', unknown: 'Not read' },
    fresh: { new: 'Fresh', old: 'Old picture', stale: 'Very old picture', none: 'No picture' },
    takenAt: 'Taken {time}', none: 'No picture yet', noneHint: 'Its gateway takes none, or the last one was too old to keep.', lost: 'Last picture', all: 'All', only: { live: 'Live', dead: 'Dead' }, filter: 'Show',
    take: 'Take one now', taking: 'Taking one', taken: 'A new picture has come', notTaken: 'No picture: {why}', noTaking: 'This gateway takes no pictures: its file has no `pictures`, or its software is older.', waiting: 'It comes within seconds of the gateway hearing of it', overdue: 'The gateway did not answer in time; look at its page.',
    why: { 'no-picture': 'the camera gave none', expired: 'nobody fetched the order in time', 'no-room': 'the gateway has no room', 'no-camera': 'the gateway does not know the camera', interrupted: 'the gateway restarted', storage: 'the gateway’s disk failed' },
    near: 'Cameras nearby', nearNone: 'There is no other camera nearby.', last: 'Last pictures', device: 'Device', zone: 'Time zone', taken_at: 'Taken', received: 'Came to the centre', cause: 'Why', size: 'Size', digest: 'SHA-256', place: 'Where', original: 'Open the original',
    causes: { alarm: 'Evidence', order: 'Asked for', wall: 'By its rhythm' }, moment: { before: 'Before', at: 'At the alarm' },
    evidence: 'What the cameras saw', evidenceNone: 'No pictures were taken for this alarm.', evidenceHint: 'taken by cameras nearby as it was raised', picture: '{name}, {time}', away: '{way} away',
    neighbour: 'on another gateway', neighbourHint: 'The alarm’s own gateway took no picture, so the centre asked the nearest camera.', asking: 'It has been asked for a picture, which comes within seconds', lostOnWay: 'it was taken, and has not come', when: '{offset} · {ago}', later: '{span} after the alarm', earlier: '{span} before the alarm',
  },
)
