/** The tokens of tokens.css, said to Naive UI, which computes with colours and cannot read variables. */
import type { GlobalThemeOverrides } from '@/naive'

const brand = '#45d6bf'

export const overrides: GlobalThemeOverrides = {
  common: {
    primaryColor: brand,
    primaryColorHover: '#6be4d1',
    primaryColorPressed: '#2fb7a2',
    primaryColorSuppl: '#2fb7a2',
    errorColor: '#ff5b61',
    errorColorHover: '#ff7d82',
    warningColor: '#ff9a3d',
    infoColor: brand,
    successColor: brand,
    bodyColor: '#060b14',
    cardColor: '#0b1320',
    modalColor: '#0f1929',
    popoverColor: '#142135',
    tableColor: '#0b1320',
    inputColor: '#0d1726',
    inputColorDisabled: '#0b1320',
    borderColor: '#24354f',
    dividerColor: '#182539',
    textColorBase: '#e8eff9',
    textColor1: '#e8eff9',
    textColor2: '#cfdaea',
    textColor3: '#7b8ca6',
    placeholderColor: '#6d7f9a',
    borderRadius: '7px',
    borderRadiusSmall: '6px',
    fontFamily: 'inherit',
    fontFamilyMono: 'inherit',
  },
  Button: { heightTiny: '24px', textColorPrimary: '#04211d', textColorHoverPrimary: '#04211d', textColorPressedPrimary: '#04211d', textColorFocusPrimary: '#04211d', fontWeight: '500' },
  Input: { border: '1px solid #24354f', colorFocus: '#0f1b2d' },
  Checkbox: { border: '1px solid #3a4f6e' },
  Message: { maxWidth: '560px' },
}
