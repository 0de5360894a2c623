/** Words of the alarm desk. */
import { words } from '../words'

export default words(
  {
    sound: { on: '声音开', muted: '已静音', blocked: '声音未启用', onHint: '报警有声；点击静音', mutedHint: '报警无声；点击恢复声音', blockedHint: '浏览器要等您在页面上点击一次，才允许发声' },
    firstOut: '首发', firstOutHint: '这一组中最先发生的报警', mutedBy: '因 {gateway} 离线而静音', noSite: '不属于任何站点', causeGateway: '网关 {gateway} 离线', causeGroup: '首发组 {group}', groupCounts: '{unacked} 未确认 · {active} 活动',
    overlay: { SHLVD: '搁置', DSUPR: '设计抑制', OOSRV: '停用' }, overlays: '遮盖', assign: '指派', assignTo: '指派给', assignee: '负责人', nobody: '无人', me: '我',
    done: { acknowledge: '已确认 {n} 条', comment: '已备注 {n} 条', assign: '已指派 {n} 条', reset: '已复位 {n} 条' }, failures: '{n} 条没有完成：{why}',
    keysTitle: '键盘', keysHint: '在输入框和对话框里，按键只用于输入。', keysLine: 'J/K 移动 · Enter 打开 · A 确认 · S 搁置 · G 指派 · C 备注 · N 下一条未确认 · X 选择 · ? 帮助',
    keys: { down: '下一条', up: '上一条', open: '打开报警，或展开一组', pick: '选择', next: '下一条未确认', acknowledge: '确认', shelve: '搁置', assign: '指派', comment: '备注', search: '搜索', clear: '取消选择', help: '这个说明' },
    flood: '报警泛滥，自 {time} 起', floodRate: '每个席位 10 分钟内 {rate} 条（超过 {limit} 即为泛滥）', foldTitle: '一场风暴：{n} 条报警，{sites} 个站点', foldAuto: '自动折叠，持续 {span}，当时 10 分钟内 {rate} 条；P1、P2 不折叠', foldHand: '{who} 折叠：{reason}', unacked: '{n} 未确认', foldOpen: '展开', foldClose: '收起', undo: '撤销折叠', undoTitle: '{n} 条报警回到列表', undone: '已撤销折叠', foldThese: '折叠', foldReason: '为什么折叠这些 P3、P4 报警（P1、P2 保留）', folded: '已折叠', endedByHand: '提前结束',
    search: '名称、规则、设备、站点', area: '城区', deviceKind: '设备类别', since: '发生于', lastHours: '最近 {n} 小时', moreFilters: '更多筛选', fewer: '收起', clearFilters: '清除筛选 ({n})', sorted: '排序', grouped: '分组', sort: { newest: '最新在前', priority: '按级别和时长' }, group: { none: '不分组', site: '按站点', cause: '按原因' }, openAll: '展开/收起全部', acts: '操作',
    views: '视图', noViews: '还没有保存的视图', saveAs: '把当前筛选保存为', share: '共享给所有人', sharedBy: '{who} 共享', ownView: '自己的', deleteView: '删除视图', viewSaved: '视图已保存',
    covers: '维护与抑制', noCovers: '现在没有维护窗口，也没有抑制', coverKind: { maintenance: '维护窗口', suppression: '抑制', inhibition: '离线抑制' }, until: '至 {time}', untilHeard: '直到网关恢复', coverAlarms: '{n} 条报警', endCover: '立即结束', rulePattern: '规则（* 表示任意）', forHours: '时长（小时）', layCover: '开始', coverLaid: '已开始', coverEnded: '已结束',
    earlier: '此点以前的报警', earlierCount: '{n} 次', earlierMedian: '持续时间中位数 {span}', earlierNone: '此点以前没有报警', cameras: '附近的摄像机', camerasNone: '没有登记在用的摄像机',
    health: '报警系统健康',
  },
  {
    sound: { on: 'Sound on', muted: 'Muted', blocked: 'Sound is off', onHint: 'Alarms sound; click to mute', mutedHint: 'Alarms are silent; click to hear them', blockedHint: 'The browser lets this page sound after your first click on it' },
    firstOut: 'First', firstOutHint: 'The alarm of its group that came first', mutedBy: 'muted by {gateway} offline', noSite: 'At no site', causeGateway: 'Gateway {gateway} offline', causeGroup: 'First-out group {group}', groupCounts: '{unacked} unacknowledged · {active} active',
    overlay: { SHLVD: 'Shelved', DSUPR: 'Suppressed by design', OOSRV: 'Out of service' }, overlays: 'Hidden by', assign: 'Assign', assignTo: 'Assign to', assignee: 'Assigned to', nobody: 'Nobody', me: 'Me',
    done: { acknowledge: '{n} acknowledged', comment: 'Comment kept at {n}', assign: '{n} assigned', reset: '{n} reset' }, failures: '{n} not done: {why}',
    keysTitle: 'Keyboard', keysHint: 'In fields and dialogs keys only type.', keysLine: 'J/K move · Enter open · A acknowledge · S shelve · G assign · C comment · N next unacknowledged · X select · ? help',
    keys: { down: 'Next', up: 'Previous', open: 'Open the alarm, or unfold a group', pick: 'Select', next: 'Next unacknowledged', acknowledge: 'Acknowledge', shelve: 'Shelve', assign: 'Assign', comment: 'Comment', search: 'Search', clear: 'Clear selection', help: 'This help' },
    flood: 'Alarm flood since {time}', floodRate: '{rate} in 10 min per position (more than {limit} is a flood)', foldTitle: 'A storm: {n} alarms at {sites} sites', foldAuto: 'Folded by itself for {span}, at {rate} in 10 min; never P1 or P2', foldHand: 'Folded by {who}: {reason}', unacked: '{n} unacknowledged', foldOpen: 'Open', foldClose: 'Close', undo: 'Undo', undoTitle: 'Put {n} alarms back into the list', undone: 'The storm is unfolded', foldThese: 'Fold', foldReason: 'Why these P3 and P4 alarms are folded (P1 and P2 stay)', folded: 'Folded', endedByHand: 'ended early',
    search: 'Name, rule, device or site', area: 'District', deviceKind: 'Kind of device', since: 'Raised', lastHours: 'Last {n} h', moreFilters: 'More filters', fewer: 'Fewer', clearFilters: 'Clear filters ({n})', sorted: 'Order', grouped: 'Grouping', sort: { newest: 'Newest first', priority: 'By priority and age' }, group: { none: 'No groups', site: 'By site', cause: 'By cause' }, openAll: 'Open or close all', acts: 'Acts',
    views: 'Views', noViews: 'No view is saved yet', saveAs: 'Save this filter as', share: 'Share with everybody', sharedBy: 'shared by {who}', ownView: 'your own', deleteView: 'Delete this view', viewSaved: 'View saved',
    covers: 'Windows', noCovers: 'No maintenance window and no suppression now', coverKind: { maintenance: 'Maintenance window', suppression: 'Suppression', inhibition: 'Inhibition' }, until: 'until {time}', untilHeard: 'until the gateway is heard', coverAlarms: '{n} alarm(s)', endCover: 'End now', rulePattern: 'Rule (* for anything)', forHours: 'For (hours)', layCover: 'Begin', coverLaid: 'It has begun', coverEnded: 'It has ended',
    earlier: 'Earlier at this point', earlierCount: '{n} time(s)', earlierMedian: 'lasted {span} (median)', earlierNone: 'There was no alarm at this point before', cameras: 'Nearest cameras', camerasNone: 'No camera in use is registered',
    health: 'Alarm system health',
  },
)
