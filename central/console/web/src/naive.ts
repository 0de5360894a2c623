/** The components of Naive UI that are shipped; the build leaves everything else of it out. */
export {
  NButton,
  NCheckbox,
  NConfigProvider,
  NDropdown,
  NInput,
  NInputNumber,
  NMessageProvider,
  NModal,
  NRadioButton,
  NRadioGroup,
  NSelect,
  NTooltip,
  darkTheme,
  dateEnUS,
  dateZhCN,
  enUS,
  useMessage,
  zhCN,
} from 'naive-ui'
export type { GlobalThemeOverrides } from 'naive-ui'
