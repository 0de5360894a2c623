import { words } from '../words'

export default words(
  { title: '历史事件', kind: { all: '全部', alarm: '报警', command: '指令', state: '通信', registry: '台账' }, turned: { active: '恢复正常上报', stale: '不再上报数据', fault: '有应答，但数据全部无效' }, empty: '没有事件', emptyHint: '通信状态只追溯最近两天。' },
  { title: 'What happened', kind: { all: 'All', alarm: 'Alarms', command: 'Commands', state: 'Link', registry: 'Registry' }, turned: { active: 'Reports well again', stale: 'Fell silent', fault: 'Answers, but nothing good' }, empty: 'Nothing happened', emptyHint: 'Of the link, the last two days are known.' },
)
