import { createTheme, type MantineColorsTuple } from '@mantine/core'

// Shade 7 carries white text with a contrast of at least 4.5 to 1 (WCAG AA); shade 4 carries on dark ground.
const navy: MantineColorsTuple =
  ['#eef4fb', '#d9e6f4', '#b1cbe7', '#86afda', '#6499cf', '#4a86c4', '#3873b2', '#245d99', '#1f4e79', '#163a5c']
const green: MantineColorsTuple =
  ['#ebf8f1', '#d3efdf', '#a8dfc0', '#79cd9e', '#4fbb7f', '#2f9f64', '#1f8a53', '#157344', '#0f5c36', '#0a4427']
const red: MantineColorsTuple =
  ['#fdeeee', '#f9dada', '#f1b1b1', '#ea8888', '#e46767', '#dc4a4a', '#cf3535', '#b92626', '#9a1f1f', '#7a1818']

// Ground and fields of the dark scheme: bluish, as ours.
const dark: MantineColorsTuple =
  ['#e3e8ee', '#cdd5de', '#a9b4c1', '#8592a1', '#465160', '#343d49', '#252c35', '#1c222a', '#171c23', '#101419']

export const theme = createTheme({
  primaryColor: 'navy',
  primaryShade: { light: 7, dark: 7 },
  colors: { navy, green, red, dark },
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif',
  fontSizes: { xs: '0.8rem', sm: '0.9rem', md: '1rem', lg: '1.125rem', xl: '1.375rem' },
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.375rem' }, h2: { fontSize: '1.05rem' }, h3: { fontSize: '0.95rem' } } },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // A dialog's head is no banner of the page (axe: landmark-no-duplicate-banner).
    Modal: {
      defaultProps: {
        centered: true, radius: 'lg', overlayProps: { backgroundOpacity: 0.45 }, attributes: { header: { role: 'none' } },
        styles: { title: { fontWeight: 600, fontSize: '1.125rem' } },
      },
    },
    // What helps stands below a field, so that fields beside one another stand in a row.
    InputWrapper: { defaultProps: { inputWrapperOrder: ['label', 'input', 'description', 'error'] } },
    Table: { defaultProps: { verticalSpacing: 8, horizontalSpacing: 12 } },
  },
})
