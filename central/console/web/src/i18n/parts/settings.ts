import { words } from '../words'

export default words(
  {
    tab: { me: '我的账号', accounts: '账号', roles: '角色与安全策略', tokens: '令牌', sessions: '登录会话', audit: '审计' },
    wholeCity: '全市', noGrant: '未授权', grants: '授权', role: '角色', areas: '区', departments: '主管部门', allAreas: '全部区', allDepartments: '全部主管部门', addGrant: '增加授权', removeGrant: '删除此授权',
    findAccount: '按用户名或姓名查找', newAccount: '新建账号', account: '账号', noAccount: '没有匹配的账号', off: '已停用', service: '服务账号', secondFactor: '两步验证', lastSignIn: '上次登录', displayName: '显示名',
    serviceHint: '服务账号：供程序使用，没有密码，只用令牌', newPassword: '新密码', passwordHint: '至少 12 个字符（一个汉字算两个）；不能是用户名或常见密码，没有其他规则。', switchOff: '停用此账号（立即结束其所有会话和令牌）', resetFactor: '重置两步验证', factorReset: '两步验证已重置', removeService: '删除服务账号', saved: '已保存', removed: '已删除', made: '新建',
    newToken: '新建令牌', tokenName: '用途', narrowRole: '限定角色', asOwner: '与所有者相同', days: '有效天数', tokenOnce: '请立即保存，此后不再显示：', expires: '到期', make: '生成', lastUsed: '上次使用', never: '从未', end: '结束', tokenEnded: '令牌已失效', noToken: '没有令牌', noTokenHint: '令牌供程序访问接口，权限不会超过其所有者。', endToken: '结束令牌', endTokenText: '令牌“{name}”将立即失效，使用它的程序将无法访问。',
    proof: { password: '密码', totp: '密码与验证码', recovery: '密码与恢复码', oidc: '统一身份认证' }, sessionEnded: '会话已结束', lastSeen: '最近活动', here: '当前会话', mySessions: '我的登录会话', myTokens: '我的令牌',
    mustEnrol: '您的角色要求两步验证。设置完成之前，其他功能不可用。', on: '已启用', notOn: '未启用', factorOn: '登录时需输入验证器应用的六位验证码。剩余恢复码 {n} 个。', factorOff: '用手机上的验证器应用生成登录验证码。即使密码泄露，他人也无法登录。', elsewhere: '此账号通过统一身份认证登录，密码与两步验证由该系统管理。',
    enrol: '启用两步验证', newCodes: '重新生成恢复码', removeFactor: '关闭两步验证', changePassword: '修改密码', oldPassword: '当前密码', again: '再次输入新密码', differs: '两次输入不一致。', passwordChanged: '密码已修改，其他会话已结束',
    codesOnce: '手机丢失时，每个恢复码可登录一次。请抄下或打印，此后不再显示。', kept: '我已保存', scan: '用验证器应用扫描二维码，再输入它显示的六位验证码。', qr: '二维码', typeSecret: '无法扫描时手动输入：', code: '验证码', next: '下一步',
    permission: '权限', holders: '{n} 个账号 | {n} 个账号', yes: '允许', no: '不允许', newRole: '新建角色', roleId: '标识', remove: '删除', grantHint: '限定了区或主管部门的授权，不包含账号、审计、通知、对外推送、大屏布局和中心运维：这些不属于城市的某一部分。',
    policy: '安全策略', strict: '必须启用两步验证的角色', tokenDays: '令牌默认有效天数', tokenDaysMax: '令牌最长有效天数',
    may: {
      read: '查看', account_own: '管理本人账号', token_own: '为自己生成令牌', data_export: '导出数据', alarm_acknowledge: '确认报警', alarm_shelve: '搁置报警', alarm_suppress: '抑制报警', case_handle: '处理案件', device_command: '控制设备', registry_edit: '编辑台账', gateway_manage: '管理网关', wall_edit: '编辑大屏', notice_manage: '管理通知', webhook_manage: '管理对外推送', user_manage: '管理账号', audit_read: '查看审计', centre_operate: '运维中心',
    },
    auditWhat: '路径、操作或对象', from: '自', to: '至', outcome: '结果', done: '成功', refused: '被拒绝', prove: '校验完整性', whole: '审计链完整，共 {n} 条。', head: '链头（请另存他处）：', noEntry: '没有匹配的记录', entry: '第 {n} 条', field: '字段', before: '之前', after: '之后',
    broken: { altered: '第 {n} 条已被篡改。', 'removed-before': '第 {n} 条之前有记录被删除。', 'cut-off': '第 {n} 条之后的记录被截断。', 'another-past': '第 {n} 条与所存链头不符。' },
    signIn: { code: '验证码或恢复码', codeHint: '请输入验证器应用显示的六位数字；手机不在身边时可用恢复码。', wrongCode: '验证码不正确或已用过，请等待下一个。', oidc: '统一身份认证登录', oidcFailed: '统一身份认证登录未成功：{reason}', because: { 'no-grant': '您所在的组在本中心没有权限', 'name-taken': '本中心已有同名账号', off: '账号已停用', state: '登录已超时，请重试', browser: '请在发起登录的浏览器中完成', access_denied: '您取消了登录' } },
  },
  {
    tab: { me: 'My account', accounts: 'Accounts', roles: 'Roles and policy', tokens: 'Tokens', sessions: 'Sessions', audit: 'Audit' },
    wholeCity: 'whole city', noGrant: 'no rights', grants: 'Grants', role: 'Role', areas: 'Districts', departments: 'Departments', allAreas: 'All districts', allDepartments: 'All departments', addGrant: 'Add a grant', removeGrant: 'Remove this grant',
    findAccount: 'Find by user name or name', newAccount: 'New account', account: 'Account', noAccount: 'No account matches', off: 'Off', service: 'Service', secondFactor: 'Second factor', lastSignIn: 'Last sign-in', displayName: 'Name shown',
    serviceHint: 'Service account: for a program, with tokens and without a password', newPassword: 'New password', passwordHint: 'At least 12 characters, and neither the user name nor a common password. There are no other rules.', switchOff: 'Switch this account off (ends its sessions and tokens at once)', resetFactor: 'Reset second factor', factorReset: 'Second factor reset', removeService: 'Remove service account', saved: 'Saved', removed: 'Removed', made: 'Made',
    newToken: 'New token', tokenName: 'What for', narrowRole: 'Narrow to a role', asOwner: 'As its owner', days: 'Days it lives', tokenOnce: 'Keep it now, it is not shown again:', expires: 'Expires', make: 'Make', lastUsed: 'Last used', never: 'never', end: 'End', tokenEnded: 'The token has ended', noToken: 'No tokens', noTokenHint: 'Programs use them; a token is never stronger than its owner.', endToken: 'End the token', endTokenText: 'The token “{name}” ends at once; the program that uses it is shut out.',
    proof: { password: 'Password', totp: 'Password and code', recovery: 'Password and recovery code', oidc: 'Single sign-on' }, sessionEnded: 'The session has ended', lastSeen: 'Last seen', here: 'This session', mySessions: 'Where I am signed in', myTokens: 'My tokens',
    mustEnrol: 'Your role asks for a second factor. Nothing else works until it is set up.', on: 'On', notOn: 'Off', factorOn: 'Signing in asks for six figures of your authenticator app. {n} recovery codes are left.', factorOff: 'An authenticator app on your phone makes a code for each sign-in. A stolen password is then not enough.', elsewhere: 'This account signs in by single sign-on; its password and second factor are looked after there.',
    enrol: 'Set up a second factor', newCodes: 'New recovery codes', removeFactor: 'Remove second factor', changePassword: 'Change password', oldPassword: 'Present password', again: 'New password again', differs: 'The two are not the same.', passwordChanged: 'Password changed; other sessions have ended',
    codesOnce: 'Each of these codes signs you in once if the phone is lost. Write them down or print them; they are not shown again.', kept: 'I have kept them', scan: 'Scan the picture with an authenticator app, then type the six figures that it shows.', qr: 'QR code', typeSecret: 'If it cannot be scanned, type:', code: 'Code', next: 'Next',
    permission: 'Permission', holders: '{n} account | {n} accounts', yes: 'yes', no: 'no', newRole: 'New role', roleId: 'Id', remove: 'Remove', grantHint: 'A grant for some districts or departments carries nothing of accounts, audit, notices, webhooks, wall layout and operation of the centre: these belong to no part of the city.',
    policy: 'Policy', strict: 'Roles that must have a second factor', tokenDays: 'Days a token lives', tokenDaysMax: 'Days a token lives at most',
    may: {
      read: 'See', account_own: 'Own account', token_own: 'Make own tokens', data_export: 'Export data', alarm_acknowledge: 'Acknowledge alarms', alarm_shelve: 'Shelve alarms', alarm_suppress: 'Suppress alarms', case_handle: 'Work on cases', device_command: 'Command devices', registry_edit: 'Edit the registry', gateway_manage: 'Manage gateways', wall_edit: 'Edit the wall', notice_manage: 'Manage notices', webhook_manage: 'Manage webhooks', user_manage: 'Manage accounts', audit_read: 'Read the audit', centre_operate: 'Operate the centre',
    },
    auditWhat: 'Path, operation or thing', from: 'From', to: 'To', outcome: 'Outcome', done: 'Done', refused: 'Refused', prove: 'Prove the chain', whole: 'The chain is whole: {n} entries.', head: 'Head, to keep elsewhere:', noEntry: 'No entry matches', entry: 'Entry {n}', field: 'Field', before: 'Before', after: 'After',
    broken: { altered: 'Entry {n} was altered.', 'removed-before': 'Entries before {n} were removed.', 'cut-off': 'Entries after {n} were cut off.', 'another-past': 'Entry {n} is not the one of the head that was kept.' },
    signIn: { code: 'Code or recovery code', codeHint: 'Type the six figures of your authenticator app; without the phone, a recovery code.', wrongCode: 'The code is wrong or was used already; wait for the next one.', oidc: 'Single sign-on', oidcFailed: 'Single sign-on did not work: {reason}', because: { 'no-grant': 'your groups give no rights here', 'name-taken': 'an account of that name is here already', off: 'the account is off', state: 'it took too long, please try again', browser: 'finish it in the browser where you began', access_denied: 'you cancelled it' } },
  },
)
