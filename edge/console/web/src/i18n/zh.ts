/** 中文。The shape of this object is the shape that every language must have. */
export default {
  product: '神经中枢网关',
  nav: { main: '主导航', overview: '概览', devices: '设备', alarms: '报警', config: '配置', tools: '工具' },
  common: {
    cancel: '取消', retry: '重试', back: '返回', close: '关闭', search: '搜索', reason: '原因', comment: '备注', language: '语言', loading: '加载中',
    slow: '网关响应较慢，请稍候', signOut: '退出登录', skip: '跳到正文', dark: '深色', light: '浅色（强光下用）', theme: '切换深浅色', working: '处理中', times: '时间按 {zone} 显示', 
    more: '更多', optional: '选填', all: '全部', said: '网关原话：{text}',
  },
  signIn: {
    lead: '现场技术员页面', password: '密码', submit: '登录', needed: '请输入密码。', none: '尚未设置密码',
    noneHint: '为安全起见，设置密码前本页拒绝登录。请在网关上运行下面的命令，然后刷新：', again: '已设置，刷新', show: '显示密码', 
  },
  error: {
    title: '无法加载', failed: '未能完成', missing: '没有这个页面', missingHint: '地址可能有误，或对象已被删除。', home: '回到概览',
    code: {
      unreachable: '网关没有应答。请检查与网关的网络；恢复后会自动重连。', slow: '网关 30 秒内没有应答，它可能正忙。请稍后重试。', 'wrong-password': '密码不正确，请重新输入。', wait: '密码错误次数过多，请稍等再试。', 'no-password': '尚未设置密码。', 'signed-out': '登录已失效，请重新登录。',
      'not-found': '没有这个对象，它可能已被删除。', 'not-allowed': '报警当前状态下不能这样操作。', 'acknowledge-first': '锁存的报警须先确认，再复位。', 'still-active': '条件仍然成立，不能复位。', 'reason-missing': '必须填写原因。', 'not-shelvable': '该报警按规则不可搁置。',
      'shelving-time': '搁置时间超出允许范围。', 'not-current': '这次报警已经结束，请看它现在的状态。', 'not-writable': '该测点不可写。', 'out-of-limits': '超出允许范围，未写入。', 'wrong-type': '值的类型不对，未写入。', 'not-representable': '设备无法表示这个值，未写入。',
      'unknown-point': '没有这个测点。', 'unknown-device': '没有这个设备。', 'unknown-alarm': '没有这个报警。', 'unknown-version': '这个版本已不再保留。', 'stale-base': '在您编辑期间，运行的配置已经改变。请重新打开后再改。', 'on-probation': '另一个版本正在试运行，请先确认、回退或等它结束。',
      'probation-time': '试运行时间超出允许范围。', mistakes: '配置有错误，未应用。', 'other-gateway': '这是另一台网关的配置，未应用。', 'too-large': '内容太大。', 'file-not-writable': '网关文件不可写，请检查其权限。', 'no-answer': '设备没有应答。',
      device: '设备或线路没有给出可用的回答。', expired: '已过期，未执行。', registers: '寄存器不合要求。', serial: '只有串口线路才有速率和校验可试；这条线路请留空。', where: '请说明扫描哪里。', url: '地址的写法不对。', units: '从站地址范围不对。',
      busy: '网关正忙于同类操作，请稍后再试。', storage: '网关的存储出了问题。', 'no-permission': '没有权限。', 'no-probation': '没有版本在试运行，无需确认。', 'wrong-shape': '网关不接受这项内容。', ended: '网关正在停止。', internal: '网关处理出错，运行日志里有详情。',
      'too-many-streams': '打开的页面太多，请关闭几个。', 'not-our-name': '请用网关的地址而不是名称打开本页。', page: '页面出错，请刷新。', 'no-authority': '文件未被采用。', 'cannot-write': '网关无法写入信任列表，请检查状态目录的所有者。', 'not-waiting': '服务器现在出示的是另一份证书，请关闭后重新查看。',
    },
  },
  feed: { live: '实时', connecting: '连接中', lost: '连接中断', off: '未连接', banner: '与网关的连接已中断，正在重连。画面数据截至 {time}。' },
  age: { now: '刚刚', s: '{n} 秒前', min: '{n} 分前', h: '{n} 小时前', d: '{n} 天前', none: '无数据' },
  span: { s: '{n} 秒', min: '{n} 分', h: '{n} 小时', d: '{n} 天', hmin: '{h} 小时 {m} 分', mins: '{m} 分 {s} 秒', dh: '{d} 天 {h} 小时' },
  quality: { good: '良好', uncertain: '存疑', bad: '坏值' },
  kind: { air: '空气站', air_quality: '空气站', bin: '垃圾箱', camera: '摄像机', climate: '温湿度', drainage: '排水', energy_meter: '电表', flood: '积水计', flow: '流量计', flow_meter: '流量计', gate: '闸门', gateway: '网关', io: '开关量采集', lamp: '路灯', level: '水位计', level_gauge: '水位计', light: '路灯', lighting: '路灯', manhole: '井盖', message_sign: '情报板', meter: '计量表', noise: '噪声', parking: '停车', plc: '控制器', power_meter: '电表', pump: '水泵', pump_controller: '泵控制器', radar: '雷达水位', rain: '雨量计', rain_gauge: '雨量计', relay: '继电器', sensor: '传感器', sign: '情报板', sluice_gate: '闸门', solar: '光伏', streetlight: '路灯', valve: '阀门', vms: '情报板', water_meter: '水表', water_quality: '水质', weather: '气象站', wet_well: '集水池' },
  priority: { P1: '紧急', P2: '高', P3: '中', P4: '低' },
  overview: {
    title: '网关概览', uplink: '上行链路', devices: '设备', alarms: '报警', buffer: '数据缓存', clock: '时钟', config: '配置', manual: '就地手动', load: '负载', allOnline: '全部在线', offline: '{n} 台离线', of: '共 {n} 台', joined: '其中 {n} 台自动接入', refused: '{n} 台未能接入，见设备页', quiet: '没有报警', unacked: '{n} 条未确认',
    open: '条未结束', uplinkState: { up: '已连接', down: '已断开', refused: '中心拒绝', unknown: '尚未连接', 'not-enrolled': '尚未登记', standalone: '独立运行' },
    uplinkReason: {
      unreachable: '连不上中心，请检查网络', timeout: '中心没有应答', name: '解析不到中心的名称（DNS）', certificate: '中心的证书不可信', 'unknown-gateway': '中心不认识这台网关', revoked: '凭证已被中心吊销，请重新登记',
      'declare-first': '中心在等待本机的点表', unavailable: '中心暂不可用', corrupt: '中心说数据损坏', version: '中心不支持此软件版本', garbage: '中心的回答无法理解', 'code-spent': '登记码已被用过',
    },
   
    alone: '未配置中心，网关独立运行，数据保存在本地。', notEnrolled: '尚未在中心登记。', left: '中心断开时还可保存', leftHint: '中心断开时还可保存（按当前速率）', noLimit: '不限', backlog: '待发送', nothingWaiting: '没有积压，全部已送达', readings: '{n} 条读数', oldest: '最早', eta: '约 {span} 后发完', rate: '{n} 条/秒',
    used: '已用', free: '磁盘可用', thinned: '为省空间抽稀 {n} 条', dropped: '已丢弃 {n} 条', written: '今日写入', sent: '今日发送', synced: '已同步', unsynced: '未同步', unsyncedHint: '读数已标记，校时后自动修正。', offset: '与中心相差', running: '运行版本', since: '自', wanted: '期望版本',
    configState: { same: '正常运行', edited: '文件已改，尚未应用', probation: '试运行中', refused: '期望的配置被拒绝', 'rolled-back': '已退回先前版本' }, uptime: '已运行', software: '软件版本', now: '网关时间',
    manualOn: '全网关就地手动', manualOff: '接受远程命令', manualSome: '{n} 台设备就地手动', manualHint: '就地手动时，拒绝中心和自动联动的命令。离开现场前请恢复。', hold: '转为就地手动', release: '恢复远程', manualTitle: '转为就地手动', releaseTitle: '恢复远程控制', manualReason: '例如：检修一号水泵',
    manualAsk: '开启后，中心下发的命令会被拒绝，中心能看到这一状态。', releaseAsk: '确认现场人员已撤离、设备可以远程动作。', reasonNeeded: '请填写原因。',
  },
  device: {
    title: '设备', search: '按名称、型号或线路查找', state: { online: '在线', offline: '离线', waiting: '等待首次应答', resting: '暂停询问' }, none: '没有设备', noneHint: '在“配置”中添加设备，或先用“扫描”寻找。', noMatch: '没有符合的设备', line: '线路 {key}', latency: '响应时间', last: '最近数据', failures: '连续失败 {n} 次',
    retry: '{span} 后重试', breaker: '熔断', learnt: '自学结果', adoption: '自动接入', adoptedOf: '已接入 {n} 台，最多 {most} 台', adoptionOff: '已停止接入', refused: '{n} 个设备未接入', refusedMore: '另有 {n} 次被拒', adopted: '接入方式', adoptedBy: '按规则 {rule} 自动接入', forget: '移除设备', forgetTitle: '移除 {name}',
    forgetHint: '设备及其测点从网关和中心的点表中移除，历史数据保留。设备再次发出消息时会重新接入（代理服务器保留的旧消息不算）。要长期拒绝，请写入规则的 deny。',
    refusedWhy: { denied: '规则的 deny 拒绝此名称', 'not-allowed': '不在规则的 allow 之内', name: '名称不能作设备键：只能用英文字母、数字、- _ . : 和空格，最长 63 个字符。请改主题中的名称，或在 devices 中声明', taken: '键已被别的设备占用。请改主题中的名称，或在 devices 中声明', full: '规则的设备数已满。请调大 most，或移除不用的设备' },
    learntHoles: '{n} 处地址被拒', learntMost: '一次最多读 {n} 个寄存器', learntBits: '一次最多读 {n} 位', learntPause: '每次请求前停顿 {n} ms', breakerOpen: '已熔断，暂停询问', breakerClosed: '正常', profile: '设备型号库', site: '站点', protocol: '协议', points: '{n} 个测点', manual: '就地手动', allOk: '全部在线', filterOffline: '异常',
    trust: '查看服务器证书', trustTitle: '信任这台服务器？', trustUnknown: '服务器出示的证书尚未被任何人信任。', trustChanged: '服务器出示的证书与已信任的不同，可能有人冒充。请先向管理员核实。',
    trustCompare: '请与服务器自身显示的指纹逐段核对（在其面板或自带工具上查看）。', trustDone: '已核对，指纹一致', trustDo: '信任', trustSubject: '主体', trustIssuer: '签发者', trustValid: '有效期', trustSelf: '自签名', trustAuthority: '或信任为服务器签发证书的机构：选择其证书或吊销列表文件', trustFile: '选择文件…', trustAuthorityTaken: '已信任该机构', trustListTaken: '已采用该吊销列表',
    hold: '转为就地手动', release: '恢复远程', holdTitle: '{name}：转为就地手动', releaseTitle: '{name}：恢复远程', noPoints: '这个设备没有测点', wide: '选择一个测点，查看趋势、读写',
  },
  point: {
    incomplete: '数据太多，只读回到 {time}', trend: '趋势', read: '立即读取', write: '测试写入', readDone: '读到 {value}', period: '每 {span} 读取一次', range: '量程', writeRange: '可写范围', readOnly: '只读', noHistory: '缓存中没有这段时间的数据', band: '最小–最大', bad: '坏值', uncertain: '存疑', gap: '空白为无数据',
    writeTitle: '写入 {name}', newValue: '新值', present: '现值', next: '下一步', ask: '确认写入设备？', from: '现值', to: '写入', warn: '设备会立即动作。确认现场安全。', doWrite: '写入设备', done: '完成', outOfRange: '须在 {min} 到 {max} 之间。', notNumber: '请输入数字。', needed: '请输入新值。', readBack: '回读值', again: '再写一次',
    unlimited: '未限定', mean: '平均', on: '开', off: '关',
    outcome: { verified: '已写入，回读一致', written: '设备已确认，该点不能回读', mismatch: '已写入，但回读不一致', rejected: '被拒绝，未写入', expired: '已过期，未写入', failed: '设备或线路拒绝', unknown: '没有应答，可能已写入也可能没有' },
  },
  alarm: {
    title: '报警', filter: { open: '未结束', unacked: '未确认', shelved: '已抑制', all: '全部' }, none: '没有报警', noneHint: '所有测点都在限值以内。', noMatch: '没有符合的报警', state: { NORM: '正常', UNACK: '未确认', ACKED: '已确认', RTNUN: '恢复未确认', LTUNK: '锁存未确认', LTACK: '锁存已确认' },
    overlay: { SHLVD: '搁置', DSUPR: '设计抑制', OOSRV: '停用' }, firstOut: '首发', chattering: '抖动', raised: '发生', value: '当前', group: '组 {key}', ackedBy: '确认人 {who}', response: '处置', until: '至 {time}',
    ack: '确认', reset: '复位', shelve: '搁置', unshelve: '取消搁置', suspend: '停用', return: '恢复使用', ackTitle: '确认报警', resetTitle: '复位报警', shelveTitle: '搁置报警', unshelveTitle: '取消搁置', suspendTitle: '停用报警', returnTitle: '恢复使用', commentHint: '看到了什么，做了什么（选填）', shelveReason: '为什么搁置', permit: '工作票号或停用原因',
    shelveFor: '搁置时长', oneShot: '恢复正常后自动取消搁置', shelveHint: '搁置期间不提示，到时自动恢复，全程有记录。', suspendHint: '停用后不会自动恢复，须由人恢复使用。', reasonNeeded: '请填写原因。', kind: { hihi: '高高', hi: '高', lo: '低', lolo: '低低', off_normal: '状态异常', no_data: '无数据', deviation: '偏差', rate: '变化率', discrepancy: '不一致', flatline: '死值', bad_quality: '坏质量', condition: '组合条件' },
    limitText: { hihi: '限值 ≥ {limit}', hi: '限值 ≥ {limit}', lo: '限值 ≤ {limit}', lolo: '限值 ≤ {limit}', off_normal: '应为 {limit}', no_data: '{limit} 无好值', deviation: '偏差 ≥ {limit}', rate: '变化 ≥ {limit}' },
  },
  config: {
    openEdited: '打开改过的文件', title: '配置', version: '版本 {n}', edit: '编辑配置', versions: '版本记录', since: '自 {time}', state: { same: '与期望一致', edited: '文件已改，尚未应用', probation: '试运行中', refused: '期望的配置被拒绝', 'rolled-back': '已退回先前版本' }, why: '原因', probation: '上行链路和原本正常的设备都恢复正常后自动保留；{span} 内不能恢复则自动回退。',
    confirm: '确认保留', undo: '立即回退', source: { file: '命令行', page: '本页', centre: '中心', rollback: '回退', start: '启动时的文件' }, versionState: { running: '运行中', good: '运行过', probation: '试运行', 'rolled-back': '已回退', refused: '被拒绝' }, noVersions: '还没有版本记录', noVersionsHint: '第一次应用配置后，这里会列出最近 20 个版本。', diff: '与运行版本的差异', noDiff: '没有差异', rollback: '回退到此版本', rollbackTitle: '回退到版本 {n}', current: '运行中', view: '查看全文',
    note: '说明', noteHint: '改了什么，为什么', noteNeeded: '请填写说明。', apply: '应用', applyTitle: '应用配置', probationTime: '试运行时间', applyHint: '期间若上行链路或原本正常的设备不能恢复正常，网关会自动回到现在的版本。', 
    editTitle: '编辑配置', checking: '正在检查', ok: '没有错误', mistakes: '没有错误 | {n} 处错误 | {n} 处错误', line: '第 {n} 行', expected: '应为', repair: '改法', unchanged: '与运行版本相同', kept: '{n} 台不变', addDevice: '添加设备', showDiff: '查看差异', hideDiff: '收起差异', discard: '放弃修改', discardAsk: '有未应用的修改，确定离开？', draft: '已恢复上次未应用的草稿。', dropDraft: '丢弃草稿', text: '网关文件',
    add: { title: '添加设备', profile: '型号', search: '厂商、型号或种类', key: '设备标识', keyHint: '小写字母、数字、- 和 _', nameZh: '中文名称', nameEn: '英文名称', site: '站点', connection: '线路', insert: '插入文件', keyBad: '只能用小写字母、数字、- 和 _，以字母或数字开头。', keyTaken: '这个标识已被使用。', noLines: '文件中没有 {protocol} 线路，请先在 connections 中添加。', param: { unit: '从站地址', index: '表的行（index）', device: '地址中的设备名', group: '组', node: '边缘节点', path: '抓图路径', stream: '视频流路径', name: '设备名' }, needed: '请填写。', other: '其他参数（YAML）', none: '没有符合的型号' },
  },
  tools: {
    title: '工具', scan: '扫描', scanHint: '在线路上寻找 Modbus、OPC UA、MQTT 与摄像机', decode: '寄存器解码', decodeHint: '粘贴寄存器，按合理性排列各种读法', logs: '运行日志', logsHint: '筛选、跟随最新一千行', queue: '发送队列', queueHint: '各数据流的积压与被拒批次',
  },
  scan: {
    fact: { path: '路径', namespace: '命名空间', node: '节点', method: '方法', type: '类型', value: '值', quality: '质量', writable: '可写', inputs: '输入', outputs: '输出', executable: '此用户可调用', callable: '可作为命令' }, asCommand: '在型号文件中作为命令', kind: { agent: '代理', object: '对象', unit: '从站', server: '服务器', endpoint: '端点', node: '节点', method: '方法', topic: '主题', 'edge-node': '边缘节点', camera: '摄像机' }, noIdentity: '没有报告型号', answers: '可用功能码 {what}', fits: '{good}/{tried} 个测点相符', noFit: '没有相符的型号', reads: '扫描只读取，从不写入设备', other: '其他主机', title: '扫描', protocol: '协议', modbus: 'Modbus', opcua: 'OPC UA', mqtt: 'MQTT', sparkplug: 'Sparkplug B', snmp: 'SNMP', walk: '列出此标识下的对象', camera: '摄像机', host: '主机', port: '端口', from: '从站地址从', to: '到', url: '服务器地址', topic: '主题', rebirth: '请求节点重发出生报文', seconds: '监听秒数', start: '开始扫描', stop: '停止', running: '正在扫描 {done} / {total}', done: '扫描完成，找到 {n} 个', stopped: '已停止，找到 {n} 个', failed: '扫描失败', nothing: '没有找到', nothingHint: '检查地址、端口与接线；从站地址范围是否包含设备。',
    bauds: '串口速率', parities: '校验', parity: { none: '无', even: '偶', odd: '奇' }, pause: '扫描期间，该线路的正常采集会短暂停顿。', found: '找到', user: '用户名', password: '密码', network: '网段', use: '用于添加设备', identity: '标识', hostNeeded: '请填写主机。',
  },
  decode: {
    title: '寄存器解码', registers: '寄存器', hint: '十进制、十六进制（0x 开头或 4 位）均可，用空格、逗号或换行分隔', address: '起始地址', fc: '功能码', run: '解码', none: '没有合理的读法', needed: '请粘贴至少一个寄存器。', bad: '“{text}” 不是寄存器的值（0–65535）。', count: '{n} 个寄存器', profiles: '最符合的型号', score: '可信度', present: '若知道应显示的值，可与下表对照。', 
  },
  logs: { title: '运行日志', level: '级别', levels: { debug: '全部', info: '信息', warning: '警告', error: '错误' }, follow: '跟随', filter: '按文字筛选', none: '没有符合的日志', },
  queue: { title: '发送队列', size: '缓存文件', batches: '批次', rows: '条数', bytes: '大小', oldest: '最早', streams: { readings: '读数', alarms: '报警', outcomes: '命令结果', events: '事件', declaration: '声明', declarations: '声明', status: '状态' }, asides: '被中心拒收', noAsides: '没有被拒收的批次', none: '队列是空的', noneHint: '全部数据已送达中心。', },
}
