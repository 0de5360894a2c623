import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
import globals from 'globals'
import ts from 'typescript-eslint'

const NAIVE = [{ name: 'naive-ui', message: 'Import from @/naive, which names each component that is shipped.' }]

export default ts.config(
  { ignores: ['node_modules/', 'src/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...vue.configs['flat/recommended'],
  {
    files: ['src/**/*.{ts,vue}'],
    languageOptions: { globals: globals.browser, parserOptions: { parser: ts.parser } },
    rules: {
      // Layout of templates is left to the writer; the rules below look at meaning.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/attributes-order': 'off',
      'vue/require-default-prop': 'off', // undefined is the meaning of an optional prop, and TypeScript says so
      'vue/multi-word-component-names': 'off',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/define-emits-declaration': 'error',
      'vue/define-props-declaration': 'error',
      'no-restricted-imports': ['error', { paths: NAIVE }],
      'no-undef': 'off', // vue-tsc knows better
    },
  },
  { files: ['src/naive.ts'], rules: { 'no-restricted-imports': 'off' } },
  {
    files: ['src/rooms/monitoring/**'],
    rules: { 'no-restricted-imports': ['error', { paths: NAIVE, patterns: ['**/rooms/dispatch/**'] }] },
  },
  {
    files: ['src/rooms/dispatch/**'],
    rules: { 'no-restricted-imports': ['error', { paths: NAIVE, patterns: ['**/rooms/monitoring/**'] }] },
  },
  { files: ['*.{js,mjs}'], languageOptions: { globals: globals.node } },
)
